"""Equal questions at the same moment are asked once."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Answer = TypeVar("Answer")

#: Returns when the client that asked has disconnected.
Disconnected = Callable[[], Awaitable[None]]


class ClientDisconnectedError(Exception):
    """Nobody waits for the answer any more."""


@dataclass(slots=True, eq=False)
class _Flight(Generic[Answer]):
    """One question for all who wait for it."""

    task: "asyncio.Task[Answer]"
    asked: bool = False
    waiting: int = 0


class SingleFlight(Generic[Answer]):
    """Shares an answer among those who came before it was asked for, and with nobody else: an
    answer that was on its way already may lack what its client has seen meanwhile. So of equal
    questions one is in the engine, and all that come during it share the next one.

    `look_s`: seconds that a client waits before it is watched whether it is still there.
    """

    def __init__(self, look_s: float) -> None:
        self._look_s = look_s
        self._last: dict[Hashable, _Flight[Answer]] = {}

    async def ask(
        self,
        key: Hashable,
        question: Callable[[], Awaitable[Answer]],
        disconnected: Disconnected | None = None,
    ) -> Answer:
        """The answer, or the error, that `question` has for everybody with this key: it must hold
        all that the answer depends on, above all what its reader may see. A question that nobody
        waits for is cancelled. Raises ClientDisconnectedError, and what `question` raises."""
        flight = self._last.get(key)
        if flight is None or flight.asked:
            flight = self._begin(key, question, behind=flight)
        flight.waiting += 1
        try:
            await asyncio.wait((flight.task,), timeout=self._look_s)
            if not flight.task.done():
                await self._watch(flight.task, disconnected)
            return flight.task.result()
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._forget(key, flight)  # who comes now must not join what is being cancelled
                flight.task.cancel()

    def _begin(
        self,
        key: Hashable,
        question: Callable[[], Awaitable[Answer]],
        behind: _Flight[Answer] | None,
    ) -> _Flight[Answer]:
        async def fly() -> Answer:
            if behind is not None:
                await asyncio.wait((behind.task,))
            flight.asked = True
            return await question()

        flight: _Flight[Answer] = _Flight(asyncio.create_task(fly()))
        self._last[key] = flight
        # Who waits gets the error; with nobody waiting it is no news.
        flight.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        flight.task.add_done_callback(lambda _: self._forget(key, flight))
        return flight

    def _forget(self, key: Hashable, flight: _Flight[Answer]) -> None:
        if self._last.get(key) is flight:
            del self._last[key]

    async def _watch(self, task: "asyncio.Task[Answer]", disconnected: Disconnected | None) -> None:
        """Raises ClientDisconnectedError if the client leaves before the task is done."""
        leaving = asyncio.ensure_future(disconnected() if disconnected else asyncio.Event().wait())
        try:
            await asyncio.wait((task, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientDisconnectedError
        finally:
            leaving.cancel()
