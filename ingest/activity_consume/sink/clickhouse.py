"""The events table, as the consumer uses it: the only place that knows its columns and codes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.errors import InsertError, InsertFailure, first_line
from activity_consume.record import TopicPartition
from activity_consume.sink.failure import failure
from activity_consume.sink.native_block import COLUMNS, native_block
from activity_consume.sink.table_checks import TableChecks
from activity_consume.validation.validate import ValidEvent

_INTO_EVENTS = f"events ({', '.join(COLUMNS)})"

_INSERT_SETTINGS = {
    # On by default since 26.x; it would answer before the rows are in the table.
    "async_insert": 0,
    "wait_end_of_query": 1,
    # `_topic` comes as a plain text.
    "input_format_native_allow_types_conversion": 1,
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
# Of newer servers: there the setting above is superseded, and on replicated tables an equal block
# is dropped as long as this one does not say so (docs/adr/0014). Older ones do not know it.
_SINCE_26_9 = {"deduplicate_insert": "disable"}

_POLL_SECONDS = 0.1
_ACCESS_DENIED = 497
# Ids in one question. They travel as parameters, of which HTTP clients and servers take some MiB.
_ASKED_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Progress:
    """The youngest batch of a partition in the table, and the last offset."""

    base_offset: int
    last_offset: int


class ClickHouseSink:
    """Asks and inserts. Whatever asks raises ClickHouseError when the engine is away."""

    def __init__(self, client: AsyncClient, cluster: str = "") -> None:
        """`cluster`: '' is one node."""
        self._client = client
        # An insert that is in doubt may run on any node.
        self._processes = (
            f"clusterAllReplicas({quote_identifier(cluster)}, system.processes)"
            if cluster
            else "system.processes"
        )

    async def now_ms(self) -> int:
        """The server's clock, Unix milliseconds."""
        return await self._number("SELECT toUnixTimestamp64Milli(now64(3))")

    async def insert(
        self,
        partition: TopicPartition,
        base_offset: int,
        lease_ms: int,
        rows: Sequence[Row | PackedRows],
    ) -> None:
        """One insert of all or nothing, confirmed when this returns. Raises InsertError."""
        await self._insert(partition, base_offset, lease_ms, rows)

    async def insert_parsable(
        self,
        partition: TopicPartition,
        base_offset: int,
        lease_ms: int,
        rows: Sequence[Row | PackedRows],
    ) -> None:
        """One insert that leaves out the rows that the table's columns and constraints refuse,
        however many there are. Once it is confirmed, `existing_offsets` says which are in. Raises
        InsertError."""
        try:
            into = (await TableChecks.of(self._client, COLUMNS)).insert(_INTO_EVENTS)
        except ClickHouseError as error:
            # Nothing was sent. If it answers, it is of no use to ask it again.
            unknown = failure(error) is InsertFailure.UNKNOWN
            verdict = InsertFailure.FAILED if unknown else InsertFailure.REJECTED
            raise InsertError(verdict, first_line(error)) from error
        try:
            await self._insert(partition, base_offset, lease_ms, rows, into)
        except InsertError as error:
            # A role of before has no grant for input(): they are found in another way.
            if getattr(error.__cause__, "code", None) == _ACCESS_DENIED:
                raise InsertError(InsertFailure.REJECTED, str(error)) from error
            raise

    async def refusing(self, row: Row) -> str:
        """Which columns and constraints refuse it, for people; '' if nobody can tell."""
        try:
            checks = await TableChecks.of(self._client, COLUMNS)
            return await checks.refusing(self._client, row.json)
        except ClickHouseError:
            return ""

    async def _insert(
        self,
        partition: TopicPartition,
        base_offset: int,
        lease_ms: int,
        rows: Sequence[Row | PackedRows],
        into: str = _INTO_EVENTS,
    ) -> None:
        body = native_block(partition, base_offset, lease_ms, rows)
        settings = {**_INSERT_SETTINGS, "log_comment": _marker(partition)}
        if self._client.min_version("26.9"):
            settings |= _SINCE_26_9
        try:
            # A stream, because clickhouse_connect would send bytes a second time when the
            # connection is cut after them: it cannot know that they were applied.
            await self._client.raw_insert(
                into,
                insert_block=_stream(body),
                settings=settings,
                fmt="Native",
            )
        except ClickHouseError as error:
            raise InsertError(failure(error), first_line(error)) from error

    async def is_inserting(self, partition: TopicPartition) -> bool:
        """An insert for this partition is running in the engine, whoever sent it."""
        return bool(
            await self._number(
                f"SELECT count() FROM {self._processes}"  # noqa: S608 - a quoted identifier
                " WHERE Settings['log_comment'] = {m:String}",
                m=_marker(partition),
            )
        )

    async def wait_for_inflight_inserts(self, partition: TopicPartition, lease_ms: int) -> None:
        """Returns when no insert with this lease can arrive any more: the table refuses what begins
        after it, and what began before has left the engine.

        The server's clock is asked each time: it is the one that judges the lease.
        """
        while (remaining := lease_ms - await self.now_ms()) >= 0:  # noqa: ASYNC110 - not our clock
            await asyncio.sleep(remaining / 1000 + 0.001)
        while await self.is_inserting(partition):  # noqa: ASYNC110 - not our process
            await asyncio.sleep(_POLL_SECONDS)

    async def progress(self, partition: TopicPartition, from_offset: int) -> Progress | None:
        """Of the rows at or after `from_offset` (the index on `_offset` finds them), also of those
        that were erased; None: none."""
        result = await self._client.query(
            "SELECT count(), max(base), max(last) FROM ("
            "SELECT _base_offset AS base, _offset AS last FROM events"
            " WHERE _topic = {t:String} AND _partition = {p:UInt16} AND _offset >= {o:UInt64}"
            " UNION ALL SELECT base_offset, last_offset FROM erased_progress"
            " WHERE topic = {t:String} AND partition = {p:UInt16} AND last_offset >= {o:UInt64})",
            {"t": partition.label, "p": partition.partition, "o": from_offset},
        )
        count, base, last = result.result_rows[0]
        return Progress(int(base), int(last)) if count else None

    async def existing_offsets(
        self, partition: TopicPartition, first: int, end: int | None = None
    ) -> set[int]:
        """The offsets in `[first, end)` whose rows are in the table."""
        result = await self._client.query(
            "SELECT _offset FROM events WHERE _topic = {t:String} AND _partition = {p:UInt16}"
            " AND _offset >= {o:UInt64} AND _offset < {e:UInt64}",
            {
                "t": partition.label,
                "p": partition.partition,
                "o": first,
                "e": 2**63 if end is None else end,
            },
            # There is one that has all these columns, but in the order of the orgs.
            settings={"optimize_use_projections": 0},
        )
        return {int(row[0]) for row in result.result_rows}

    async def ids(self, partition: TopicPartition, limit: int) -> DedupWindow:
        """The youngest ids of a partition, as a window for what comes next."""
        raw = await self._client.raw_query(
            "SELECT id FROM events WHERE _topic = {t:String} AND _partition = {p:UInt16}"
            " ORDER BY UUIDv7ToDateTime(id) DESC LIMIT {n:UInt32}",
            {"t": partition.label, "p": partition.partition, "n": limit},
            fmt="TSV",
        )
        ids = raw.decode().split()
        return DedupWindow.seeded(ids, limit, complete=len(ids) < limit)

    async def edge_rows(self, partition: TopicPartition, first: int, end: int) -> dict[int, str]:
        """Offset and id of the first and the last row in `[first, end)`."""
        result = await self._client.query(
            "SELECT count(), min(_offset), toString(argMin(id, _offset)), max(_offset),"
            " toString(argMax(id, _offset)) FROM events WHERE _topic = {t:String}"
            " AND _partition = {p:UInt16} AND _offset >= {o:UInt64} AND _offset < {e:UInt64}",
            {"t": partition.label, "p": partition.partition, "o": first, "e": end},
        )
        count, oldest, its_id, newest, newest_id = result.result_rows[0]
        return {int(oldest): its_id, int(newest): newest_id} if count else {}

    async def existing_ids(self, rows: Sequence[Row]) -> set[str]:
        """Which of these rows' ids are in the table (by its key, without a scan). Rows that need
        no lookup are passed over."""
        needs_lookup = [row.lookup for row in rows if row.lookup]
        taken: set[str] = set()
        for first in range(0, len(needs_lookup), _ASKED_AT_ONCE):
            taken |= await self._existing_ids(needs_lookup[first : first + _ASKED_AT_ONCE])
        return taken

    async def _existing_ids(self, needs_lookup: Sequence[ValidEvent]) -> set[str]:
        result = await self._client.query(
            "SELECT toString(id) FROM events WHERE (org_id, timestamp, id) IN ("
            "SELECT x.1, parseDateTime64BestEffort(x.2, 6, 'UTC'), toUUID(x.3)"
            " FROM (SELECT arrayJoin(arrayZip("
            "{o:Array(String)}, {t:Array(String)}, {i:Array(String)})) AS x))",
            {
                "o": [event.org_id for event in needs_lookup],
                "t": [event.timestamp for event in needs_lookup],
                "i": [event.id for event in needs_lookup],
            },
        )
        return {row[0] for row in result.result_rows}

    async def is_given_up(self, partition: TopicPartition, offset: int, reason: str) -> bool:
        """The dead letter of this reason at this place has been dropped by an operator."""
        result = await self._client.query(
            "SELECT count() FROM dead_letters FINAL WHERE source_topic = {t:String}"
            " AND source_partition = {p:UInt16} AND source_offset = {o:UInt64}"
            " AND reason = {r:String} AND status = 'dropped'",
            {"t": partition.label, "p": partition.partition, "o": offset, "r": reason},
        )
        return bool(result.result_rows[0][0])

    async def _number(self, sql: str, **parameters: str) -> int:
        result = await self._client.query(sql, parameters)
        return int(result.result_rows[0][0])


def _marker(partition: TopicPartition) -> str:
    return f"activity {partition}"


async def _stream(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece
