"""The events table, as the consumer uses it: the only place that knows its columns and codes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.batch import Source, json_each_row
from activity_consume.batching.dedup import IdWindow
from activity_consume.batching.rows import Chunk, Row
from activity_consume.validation.validate import Accepted
from activity_schemas.event import ActivityEvent

# All but what a producer must not set: `_ingested_at` is the table's.
_COLUMNS = [
    *(name for name in ActivityEvent.model_fields),
    *("_topic", "_partition", "_offset", "_base_offset", "_lease"),
]

_INSERT_SETTINGS = {
    # On by default since 26.x; it would answer before the rows are in the table.
    "async_insert": 0,
    "wait_end_of_query": 1,
    "date_time_input_format": "best_effort",
    "input_format_skip_unknown_fields": 1,
    "input_format_null_as_default": 1,
    # Late events of many months are no error.
    "max_partitions_per_insert_block": 0,
    # One block, so one part per table partition, and a batch is refused as a whole.
    "max_insert_block_size": 1 << 20,
    "min_insert_block_size_rows": 1 << 20,
    "min_insert_block_size_bytes": 256 << 20,
    # The engine's own dedup is not the guarantee (docs/adr/0001), and it would drop a rightful
    # retry whose first half is gone.
    "insert_deduplicate": 0,
}

_POLL_SECONDS = 0.1
# Ids in one question. They travel as parameters, of which HTTP clients and servers take some MiB.
_ASKED_AT_ONCE = 2000
# The data does not fit, whoever sends it again: parse errors, types, ranges, limits of a value.
_DATA_CODES = frozenset(
    (6, 20, 25, 26, 27, 38, 41, 43, 53, 69, 70, 72, 117, 120, 130, 131, 349, 376, 467, 691)
)


class Refusal(Enum):
    """How an insert ended that was not confirmed."""

    #: The engine has said no to the data: sending it again is no use.
    DATA = auto()
    #: The lease was over, or the engine is in trouble. It has ended; some of it may be in.
    ENDED = auto()
    #: No answer: all, some or none of it may be in, now or later.
    LOST = auto()


class InsertError(Exception):
    """An insert that was not confirmed."""

    def __init__(self, refusal: Refusal, text: str) -> None:
        super().__init__(text)
        self.refusal = refusal


@dataclass(frozen=True, slots=True)
class Progress:
    """The youngest batch of a partition in the table, and the last offset."""

    base_offset: int
    last_offset: int


class EventStore:
    """Asks and inserts. Whatever asks raises ClickHouseError when the engine is away."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def now_ms(self) -> int:
        """The server's clock, Unix milliseconds."""
        return await self._number("SELECT toUnixTimestamp64Milli(now64(3))")

    async def insert(
        self, source: Source, base_offset: int, lease_ms: int, rows: Sequence[Row | Chunk]
    ) -> None:
        """One insert, confirmed when this returns. Raises InsertError."""
        body = json_each_row(source, base_offset, lease_ms, rows)
        try:
            # A stream, because clickhouse_connect would send bytes a second time when the
            # connection is cut after them: it cannot know that they were applied.
            await self._client.raw_insert(
                "events",
                _COLUMNS,
                _stream(body),
                settings=_INSERT_SETTINGS | {"log_comment": _marker(source)},
                fmt="JSONEachRow",
            )
        except ClickHouseError as error:
            raise InsertError(_refusal(error), first_line(error)) from error

    async def is_inserting(self, source: Source) -> bool:
        """An insert for this partition is running in the engine, whoever sent it."""
        return bool(
            await self._number(
                "SELECT count() FROM system.processes WHERE Settings['log_comment'] = {m:String}",
                m=_marker(source),
            )
        )

    async def wait_until_quiet(self, source: Source, lease_ms: int) -> None:
        """Returns when no insert with this lease can arrive any more: the table refuses what begins
        after it, and what began before has left the engine.

        The server's clock is asked each time: it is the one that judges the lease.
        """
        while (remaining := lease_ms - await self.now_ms()) >= 0:  # noqa: ASYNC110 - not our clock
            await asyncio.sleep(remaining / 1000 + 0.001)
        while await self.is_inserting(source):  # noqa: ASYNC110 - not our process
            await asyncio.sleep(_POLL_SECONDS)

    async def progress(self, source: Source, from_offset: int) -> Progress | None:
        """Of the rows at or after `from_offset` (the index on `_offset` finds them); None: none."""
        result = await self._client.query(
            "SELECT count(), max(_base_offset), max(_offset) FROM events"
            " WHERE _topic = {t:String} AND _partition = {p:UInt16} AND _offset >= {o:UInt64}",
            {"t": source.label, "p": source.partition, "o": from_offset},
        )
        count, base, last = result.result_rows[0]
        return Progress(int(base), int(last)) if count else None

    async def present(self, source: Source, first: int, end: int | None = None) -> set[int]:
        """The offsets in `[first, end)` whose rows are in the table."""
        result = await self._client.query(
            "SELECT _offset FROM events WHERE _topic = {t:String} AND _partition = {p:UInt16}"
            " AND _offset >= {o:UInt64} AND _offset < {e:UInt64}",
            {
                "t": source.label,
                "p": source.partition,
                "o": first,
                "e": 2**63 if end is None else end,
            },
        )
        return {int(row[0]) for row in result.result_rows}

    async def ids(self, source: Source, limit: int) -> IdWindow:
        """The youngest ids of a partition, as a window for what comes next."""
        raw = await self._client.raw_query(
            "SELECT id FROM events WHERE _topic = {t:String} AND _partition = {p:UInt16}"
            " ORDER BY UUIDv7ToDateTime(id) DESC LIMIT {n:UInt32}",
            {"t": source.label, "p": source.partition, "n": limit},
            fmt="TSV",
        )
        ids = raw.decode().split()
        return IdWindow.seeded(ids, limit, complete=len(ids) < limit)

    async def edge_rows(self, source: Source, first: int, end: int) -> dict[int, str]:
        """Offset and id of the first and the last row in `[first, end)`."""
        result = await self._client.query(
            "SELECT count(), min(_offset), toString(argMin(id, _offset)), max(_offset),"
            " toString(argMax(id, _offset)) FROM events WHERE _topic = {t:String}"
            " AND _partition = {p:UInt16} AND _offset >= {o:UInt64} AND _offset < {e:UInt64}",
            {"t": source.label, "p": source.partition, "o": first, "e": end},
        )
        count, oldest, its_id, newest, newest_id = result.result_rows[0]
        return {int(oldest): its_id, int(newest): newest_id} if count else {}

    async def taken(self, rows: Sequence[Row]) -> set[str]:
        """Which ids of these rows, which ask, are in the table (by its key: without a scan)."""
        asking = [row.ask for row in rows if row.ask]
        taken: set[str] = set()
        for first in range(0, len(asking), _ASKED_AT_ONCE):
            taken |= await self._taken(asking[first : first + _ASKED_AT_ONCE])
        return taken

    async def _taken(self, asking: Sequence[Accepted]) -> set[str]:
        result = await self._client.query(
            "SELECT toString(id) FROM events WHERE (org_id, timestamp, id) IN ("
            "SELECT x.1, parseDateTime64BestEffort(x.2, 6, 'UTC'), toUUID(x.3)"
            " FROM (SELECT arrayJoin(arrayZip("
            "{o:Array(String)}, {t:Array(String)}, {i:Array(String)})) AS x))",
            {
                "o": [event.org_id for event in asking],
                "t": [event.timestamp for event in asking],
                "i": [event.id for event in asking],
            },
        )
        return {row[0] for row in result.result_rows}

    async def is_given_up(self, source: Source, offset: int, reason: str) -> bool:
        """The dead letter of this reason at this place has been dropped by an operator."""
        result = await self._client.query(
            "SELECT count() FROM dead_letters FINAL WHERE source_topic = {t:String}"
            " AND source_partition = {p:UInt16} AND source_offset = {o:UInt64}"
            " AND reason = {r:String} AND status = 'dropped'",
            {"t": source.label, "p": source.partition, "o": offset, "r": reason},
        )
        return bool(result.result_rows[0][0])

    async def _number(self, sql: str, **parameters: str) -> int:
        result = await self._client.query(sql, parameters)
        return int(result.result_rows[0][0])


def first_line(error: BaseException) -> str:
    """An error's text for a log line: one line, without the query's echo."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:500]


def _marker(source: Source) -> str:
    return f"activity {source}"


def _refusal(error: ClickHouseError) -> Refusal:
    code = getattr(error, "code", None)
    if code is None:
        return Refusal.LOST
    return Refusal.DATA if code in _DATA_CODES else Refusal.ENDED


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
