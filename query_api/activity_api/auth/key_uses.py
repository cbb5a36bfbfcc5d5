"""When each API key was last used, written behind the requests."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

_log = logging.getLogger(__name__)

_INTERVAL_SECONDS = 60.0
_CLOSING_SECONDS = 1.0

#: Stores the last use of each key: seconds since 1970, by id. May raise.
Write = Callable[[dict[str, float]], Awaitable[None]]


class KeyUses:
    """One write a minute at most, whatever the number of requests and keys; none without a use.
    A write that fails is tried again with the next one."""

    def __init__(
        self, write: Write, clock: Callable[[], float], interval_s: float = _INTERVAL_SECONDS
    ) -> None:
        self._write = write
        self._clock = clock
        self._interval_s = interval_s
        self._pending: dict[str, float] = {}
        self._writing: asyncio.Task[None] | None = None
        self._has_warned = False

    def note(self, id_: str) -> None:
        """The key was used now. Blocks for nothing."""
        self._pending[id_] = self._clock()
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Write what is left, if that takes less than a second."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait((self._writing,))
        if self._pending:
            await asyncio.wait((asyncio.create_task(self._flush()),), timeout=_CLOSING_SECONDS)

    async def _run(self) -> None:
        while self._pending:
            await self._flush()
            await asyncio.sleep(self._interval_s)

    async def _flush(self) -> None:
        taken, self._pending = self._pending, {}
        try:
            await self._write(taken)
        except asyncio.CancelledError:
            self._pending = taken | self._pending
            raise
        except Exception as error:  # noqa: BLE001 - a use that is not written stops nobody
            self._pending = taken | self._pending
            if not self._has_warned:
                line = " ".join(str(error).split())[:300]
                _log.warning("the last use of API keys cannot be written: %s", line)
            self._has_warned = True
        else:
            self._has_warned = False
