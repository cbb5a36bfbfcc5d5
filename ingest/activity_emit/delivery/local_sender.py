"""Without a broker: the consumer on the same machine is handed the spool itself."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from activity_emit.delivery.outbox import Batch
from activity_emit.errors import NotSpooledError
from activity_spool.progress import EVENTS_PER_ROW, settled_position

_POLL_S = 0.2


class LocalSender:
    """A sender that sends nothing: it waits until the consumer has settled what is spooled."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name

    async def send(self, batches: Sequence[Batch]) -> None:
        """Return when all of them are in the table.

        Where no consumer runs it waits for ever; the spool's cap bounds what waits with it. Raises
        NotSpooledError if one of them is in no spool.
        """
        rows = [batch.row for batch in batches]
        if None in rows:
            raise NotSpooledError("the spool cannot be written, and there is no broker")
        last = max(row.number * EVENTS_PER_ROW + row.events for row in rows if row)
        while settled_position(self._directory, self._name) < last:  # noqa: ASYNC110 - another's
            await asyncio.sleep(_POLL_S)

    async def close(self, *, wait: bool = True) -> None:
        """Nothing is open."""
