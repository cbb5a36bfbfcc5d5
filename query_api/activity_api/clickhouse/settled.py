"""How far each partition is settled, by offset: where the feed ends."""

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.queries.query import Query

#: Seconds. What was settled stays settled: an older answer is a true one, only not the latest.
FRESH_SECONDS = 0.2

# Written by the consumers (migration "feed").
_SQL = """\
SELECT topic, partition, argMax(offset, updated_at)
FROM settled_offsets
GROUP BY topic, partition
FORMAT TabSeparatedRaw"""

Settled = Mapping[tuple[str, int], int]


class SettledOffsets:
    """Asks at most five times a second, for all requests. `clock`: seconds, monotonic."""

    def __init__(self, client: ClickHouseClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._at = -float("inf")
        self._known: Settled = MappingProxyType({})
        self._reading: asyncio.Task[None] | None = None

    async def read(self) -> Settled:
        """By topic (as `_topic` has it) and partition the offset below which all is in the table;
        to be asked before the rows. Raises what ClickHouseClient.query raises."""
        if self._clock() - self._at >= FRESH_SECONDS:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read())
                self._reading.add_done_callback(lambda task: task.cancelled() or task.exception())
            # Not ended with the request that waits: others wait for it, too.
            await asyncio.shield(self._reading)
        return self._known

    async def close(self) -> None:
        """Stop asking."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))

    async def _read(self) -> None:
        at = self._clock()
        body = await self._client.query(Query(_SQL, {}))
        rows = (line.split("\t") for line in body.decode().splitlines())
        self._known = {(topic, int(partition)): int(offset) for topic, partition, offset in rows}
        self._at = at
