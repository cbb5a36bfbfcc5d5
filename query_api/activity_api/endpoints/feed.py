"""The feed: an org's events in the order in which they were settled, each once, without a hole.

A partition's events are given by their offsets, up to where its consumer says that all is in the
table (`settled_offsets`). So a late event has its place behind what was given, two partitions do
not wait for each other, and a cursor is the last offset of each. docs/history.md tells it to users.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.settled import Settled, SettledOffsets
from activity_api.clickhouse.watermark import Watermark
from activity_api.queries import feed
from activity_api.queries.feed import Copies, Key, Row, Span
from activity_api.queries.feed_cursor import FeedCursor, Place
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.listing import rows_by_columns

# With a filter that lets little through a page ends after so many looks at 1,000 rows each.
_LOOKS = 5
# A custom partitioner may put an org into many: so many are asked at a time, in turns.
_SPANS = 32


@dataclass(frozen=True, slots=True)
class Given:
    """An event, and where the reader stands who has got it."""

    json: bytes
    cursor: FeedCursor


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`cursor`: to go on from, also if nothing was given. `watermark`: with `has_more` false, all
    that Kafka had accepted by then was given; None: not known."""

    events: list[Given]
    cursor: FeedCursor
    has_more: bool
    watermark: datetime | None


@dataclass(frozen=True, slots=True)
class Feed:
    """Reads pages; no state but that of its connections. `clock`: aware, UTC."""

    clickhouse: ClickHouseClient
    settled: SettledOffsets
    watermark: Watermark
    clock: Callable[[], datetime]

    async def page(self, filter_: HistoryFilter, after: FeedCursor, limit: int) -> FeedPage:
        """The next events, `limit` at most; fewer, or none, where the filter lets few through.
        Raises what ClickHouseClient.query raises."""
        # In this order: what was complete then is settled, and what is settled is in the rows.
        through = await self.watermark.complete_through()
        settled = await self.settled.read()
        spans = self._spans(await self._heads(filter_.org_id), settled, after)
        events: list[Given] = []
        offsets, more = dict(after.offsets), bool(spans)
        for _ in range(_LOOKS):
            wanted = limit - len(events)
            if not more or not wanted:
                break
            at_once = wanted if filter_.is_all else feed.MOST
            keys, more = await self._keys(filter_.org_id, spans, offsets, at_once)
            rows = await self._rows(filter_, keys)
            copies = await self._copies(filter_.org_id, keys, rows)
            for number, key in enumerate(keys):
                row = rows.get(key._replace(time=""))
                is_first = row is not None and not _is_passed(copies[row.id], offsets)
                offsets[key.place] = key.offset
                if row is not None and is_first:
                    events.append(Given(row.json, self._cursor(offsets)))
                    if len(events) == limit:
                        more = more or number + 1 < len(keys)
                        break
        return FeedPage(events, self._cursor(offsets), more, through)

    async def now(self, org_id: str) -> FeedCursor:
        """Behind all that is settled."""
        settled = await self.settled.read()
        ends = {}
        for topic, partition, head in await self._heads(org_id):
            end = min(head, settled.get((topic, partition), 0) - 1)
            if end >= 0:
                ends[Place.of(topic, partition)] = end
        return self._cursor(ends)

    def _cursor(self, offsets: dict[Place, int]) -> FeedCursor:
        return FeedCursor(dict(offsets), int(self.clock().timestamp()))

    async def _heads(self, org_id: str) -> list[tuple[str, int, int]]:
        body = await self.clickhouse.query(feed.heads_of(org_id))
        lines = (line.split("\t") for line in body.decode().splitlines())
        return sorted((topic, int(partition), int(head)) for topic, partition, head in lines)

    def _spans(
        self, heads: list[tuple[str, int, int]], settled: Settled, after: FeedCursor
    ) -> list[Span]:
        found = []
        for topic, partition, head in heads:
            last, end = after.last(Place.of(topic, partition)), settled.get((topic, partition), 0)
            if last < head and last + 1 < end:
                found.append(Span(topic, partition, last, end))
        return found

    async def _keys(
        self, org_id: str, spans: list[Span], offsets: dict[Place, int], limit: int
    ) -> tuple[list[Key], bool]:
        """The next ones, and whether there are more."""
        ahead = [one._replace(after=offsets.get(one.place, -1)) for one in spans]
        ahead = [one for one in ahead if one.after + 1 < one.settled]
        if not ahead:
            return [], False
        # Who was served least comes first, so that no partition waits for ever.
        asked = sorted(ahead, key=lambda one: one.after)[:_SPANS]
        body = await self.clickhouse.query(feed.keys_after(org_id, asked, limit + 1))
        keys = list(feed.read_keys(body))
        return keys[:limit], len(keys) > limit or len(ahead) > len(asked)

    async def _rows(self, filter_: HistoryFilter, keys: list[Key]) -> dict[Key, Row]:
        if not keys:
            return {}
        rows = feed.read_rows(await self.clickhouse.query(feed.rows_of(filter_, keys)))
        if missing := rows.missing:
            rows.fill(await self.clickhouse.query(rows_by_columns(filter_, missing)))
        return feed.by_key(rows, keys)

    async def _copies(self, org_id: str, keys: list[Key], rows: dict[Key, Row]) -> Copies:
        """An event may be in the table twice (docs/adr/0001, "not covered"): it is given once."""
        if not rows:
            return {}
        times = [key for key in keys if key._replace(time="") in rows]
        ids = (row.id for row in rows.values())
        return feed.read_copies(await self.clickhouse.query(feed.copies_of(org_id, times, ids)))


def _is_passed(places: list[tuple[Place, int]], offsets: dict[Place, int]) -> bool:
    """One of these the reader has passed already."""
    return any(offset <= offsets.get(place, -1) for place, offset in places)
