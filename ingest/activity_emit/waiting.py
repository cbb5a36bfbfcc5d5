"""Waiting in whatever loop a service runs: asyncio, or trio where that has been imported.

A loop of another kind, or none, cannot be asked: there nothing is waited for.
"""

import asyncio
import contextlib
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any


def _trio() -> Any:
    """The module, if this is a task of trio's."""
    trio = sys.modules.get("trio")
    if trio is not None:
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            return None
    return trio


def _in_asyncio() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def in_thread(work: Callable[[], object]) -> None:
    """Do something that blocks, in a thread where there is one; raises what it raises."""
    done = Mark()
    raised: list[Exception] = []

    def run() -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - raised by who waits
            raised.append(error)
        finally:
            with contextlib.suppress(RuntimeError):  # who waits was cancelled, and its loop is gone
                done.set()

    # Not the loop's own pool: that may be full of the service's work, or closed.
    try:
        threading.Thread(target=run, name="activity-wait", daemon=True).start()
    except RuntimeError:  # no more threads
        run()
    await done.wait()
    for error in raised:
        raise error


class Mark:
    """Set once, from any thread, and waited for in the task that made it."""

    def __init__(self) -> None:
        self._set = threading.Event()
        self._loop_wait: Callable[[], Awaitable[Any]] | None = None
        self._tell: Callable[[], object] = self._set.set
        trio = _trio()
        if trio is not None:
            event, token = trio.Event(), trio.lowlevel.current_trio_token()
            self._loop_wait, self._tell = event.wait, lambda: token.run_sync_soon(event.set)
        elif _in_asyncio():
            loop, happened = asyncio.get_running_loop(), asyncio.Event()
            self._loop_wait = happened.wait
            self._tell = lambda: loop.call_soon_threadsafe(happened.set)

    def set(self) -> None:
        """Raises RuntimeError if the loop is gone."""
        self._set.set()
        self._tell()

    async def wait(self) -> None:
        """Blocks the thread in a loop that is neither asyncio's nor trio's."""
        if self._loop_wait is not None:
            await self._loop_wait()
        else:
            self._set.wait()

    async def wait_for(self, seconds: float) -> bool:
        """Whether it was set within that time; in a loop of another kind it is not waited for."""
        trio = _trio()
        if trio is not None:
            with trio.move_on_after(seconds):
                await self.wait()
        elif self._loop_wait is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self.wait()
        return self._set.is_set()
