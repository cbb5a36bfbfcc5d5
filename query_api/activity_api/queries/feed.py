"""The feed's SQL: which partitions an org is in, what comes next in them, and those rows."""

import heapq
import itertools
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from activity_api.queries.event_rows import ROW, SETTINGS, EventRows
from activity_api.queries.feed_cursor import Place
from activity_api.queries.filter import Parameters
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query

Copies = dict[str, list[tuple[Place, int]]]

#: Rows that one page looks at; their times and offsets travel as parameters.
MOST = 1000

# In front of each row: which of the topics that were asked for, partition, offset.
_PLACE = struct.Struct("<QHQ")
_PROJECTION = "SETTINGS optimize_use_projections = 1, preferred_optimize_projection_name = "


class Span(NamedTuple):
    """What may be read of a partition: offsets above `after` and below `settled`."""

    topic: str
    partition: int
    after: int
    settled: int

    @property
    def place(self) -> Place:
        return Place.of(self.topic, self.partition)


class Key(NamedTuple):
    """A row of the feed, without what is in it. `time`: as the engine writes it."""

    topic: str
    partition: int
    offset: int
    time: str

    @property
    def place(self) -> Place:
        return Place.of(self.topic, self.partition)


class Row(NamedTuple):
    """`json`: as in a list's `activities`."""

    id: str
    json: bytes


def heads_of(org_id: str) -> Query:
    """The partitions that the org has rows of, and the largest offset there: topic, partition,
    offset. Reads a row of each part."""
    sql = f"""\
SELECT _topic, _partition, max(_offset)
FROM events
WHERE org_id = {{org_id:String}}
GROUP BY _topic, _partition
{_PROJECTION}'by_place'
FORMAT TabSeparatedRaw"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, {"org_id": org_id})


def keys_after(org_id: str, spans: Sequence[Span], limit: int) -> Query:
    """The next keys of each span, `limit` at most."""
    parameters: Parameters = {"org_id": org_id, "rows": str(limit)}
    parts = []
    for number, span in enumerate(spans):
        parts.append(f"""\
SELECT _topic, _partition, _offset, timestamp, toUnixTimestamp64Milli(_ingested_at) FROM
(
    SELECT _topic, _partition, _offset, timestamp, _ingested_at FROM events
    WHERE org_id = {{org_id:String}}
    AND _topic = {{topic{number}:String}} AND _partition = {{partition{number}:UInt16}}
    AND _offset >= {{first{number}:UInt64}} AND _offset < {{end{number}:UInt64}}
    ORDER BY _offset
    LIMIT {{rows:UInt32}}
)""")  # noqa: S608 - no value is in the text, only placeholders
        parameters[f"topic{number}"] = span.topic
        parameters[f"partition{number}"] = str(span.partition)
        parameters[f"first{number}"] = str(span.after + 1)
        parameters[f"end{number}"] = str(span.settled)
    union = "\nUNION ALL\n".join(parts)
    return Query(f"{union}\n{_PROJECTION}'by_offset'\nFORMAT TabSeparatedRaw", parameters)


def read_keys(body: bytes) -> Iterator[Key]:
    """In the order of the feed: of each partition as it was written, and between them by when that
    was."""
    by_place: dict[tuple[str, int], list[tuple[int, Key]]] = defaultdict(list)
    for line in body.decode().splitlines():
        topic, partition, offset, time, millis = line.split("\t")
        key = Key(topic, int(partition), int(offset), time)
        by_place[key[:2]].append((int(millis), key))
    return (key for _, key in heapq.merge(*map(_rising, by_place.values())))


def _rising(rows: list[tuple[int, Key]]) -> Iterator[tuple[int, Key]]:
    """By offset, and the clock never goes back: the union may bring them in any order."""
    ordered = sorted(rows, key=lambda row: row[1].offset)
    clock = itertools.accumulate((millis for millis, _ in ordered), max)
    return zip(clock, (key for _, key in ordered), strict=True)


def rows_of(filter_: HistoryFilter, keys: Sequence[Key]) -> Query:
    """The rows of these keys that the filter lets through, in no order."""
    where, parameters = _at(keys)
    sql = f"""\
SELECT indexOf({{topics:Array(String)}}, _topic), _partition, _offset, {ROW}
FROM events
WHERE {filter_.where} AND {where}
{SETTINGS}"""  # noqa: S608 - no value is in the text, only placeholders
    return Query(sql, {**filter_.parameters, **parameters, "topics": _topics(keys)})


def read_rows(body: bytes) -> EventRows:
    """The answer; rows without an event are to be asked for."""
    return EventRows.read(body, _PLACE)


def by_key(rows: EventRows, keys: Sequence[Key]) -> dict[Key, Row]:
    """By their keys without time. `keys`: those that were asked for."""
    topics = _topics(keys)
    return {
        Key(topics[number - 1], partition, offset, ""): Row(str(key.id), json)
        for (number, partition, offset), key, json in zip(
            rows.heads, rows.keys, rows.rows, strict=True
        )
        if json is not None
    }


def _topics(keys: Sequence[Key]) -> list[str]:
    return sorted({key.topic for key in keys})


def copies_of(org_id: str, keys: Iterable[Key], ids: Iterable[str]) -> Query:
    """Where else the events with these ids and times stand: id, topic, partition, offset."""
    sql = """\
SELECT toString(id), _topic, _partition, _offset
FROM events
WHERE org_id = {org_id:String} AND timestamp IN {times:Array(DateTime64(6, 'UTC'))}
AND id IN {ids:Array(UUID)}
SETTINGS optimize_use_projections = 0
FORMAT TabSeparatedRaw"""
    times = sorted({key.time for key in keys})
    return Query(sql, {"org_id": org_id, "times": times, "ids": sorted(set(ids))})


def read_copies(body: bytes) -> Copies:
    """The places of each id."""
    found: Copies = defaultdict(list)
    for line in body.decode().splitlines():
        id_, topic, partition, offset = line.split("\t")
        found[id_].append((Place.of(topic, int(partition)), int(offset)))
    return found


def _at(keys: Sequence[Key]) -> tuple[str, Parameters]:
    """By time first: that is what the table's key finds."""
    offsets: dict[tuple[str, int], list[int]] = defaultdict(list)
    for key in keys:
        offsets[key[:2]].append(key.offset)
    parameters: Parameters = {"times": sorted({key.time for key in keys})}
    places = []
    for number, ((topic, partition), of) in enumerate(offsets.items()):
        places.append(
            f"_topic = {{topic{number}:String}} AND _partition = {{partition{number}:UInt16}}"
            f" AND _offset IN {{offsets{number}:Array(UInt64)}}"
        )
        parameters[f"topic{number}"] = topic
        parameters[f"partition{number}"] = str(partition)
        parameters[f"offsets{number}"] = of
    at = " OR ".join(f"({place})" for place in places)
    return f"timestamp IN {{times:Array(DateTime64(6, 'UTC'))}} AND ({at})", parameters
