"""Messages as our producers write them, judged many at a time: half the work of one by one."""

from array import array
from collections.abc import Sequence
from datetime import datetime

import msgspec

from activity_consume.batching.rows import Chunk, Record, pack
from activity_consume.validation.formats import are_utc, are_uuid7
from activity_consume.validation.validate import FastEvent, are_plain
from activity_kafka.headers import RESENT_HEADER

_decode_lines = msgspec.json.Decoder(FastEvent).decode_lines


def plain(records: Sequence[Record], latest: datetime) -> tuple[Chunk, list[FastEvent]] | None:
    """All of them as events, if that is what `judge` says of each, and none is resent; else None.
    `latest`: a timestamp after this one is a broken clock.

    The events hold on to the whole chunk's bytes: they must not be kept.
    """
    values = [record.value for record in records if record.value is not None]
    keys = {record.key: record.key for record in records}
    if not values or len(values) < len(records):
        return None
    headers = [record.headers for record in records] if any(r.headers for r in records) else []
    if any(name == RESENT_HEADER for around in headers for name, _ in around):
        return None  # the table is asked for it
    lines = b"\n".join(values)
    try:
        events = _one_a_value(values, lines)
        if not (_forms_are_plain(events, latest) and are_plain(events, lines)):
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    chunk = Chunk(
        pack(lines),
        array("Q", [record.offset for record in records]),
        array("q", [record.timestamp for record in records]),
        [keys[record.key] for record in records],
        headers,
    )
    return chunk, events


def _one_a_value(values: Sequence[bytes], lines: bytes) -> list[FastEvent]:
    """Raises ValueError or MsgspecError where a value is not one event, from its first byte to its
    last, without a line end."""
    # Each line end stands between two values, and between `}` and `{`: in JSON that is the end of
    # one item and the beginning of the next. So there is an item or more in each value, and as many
    # items as values. (Looking for these three bytes together takes as long as reading the JSON.)
    ends = {value[:1] for value in values}, {value[-1:] for value in values}
    if ends != ({b"{"}, {b"}"}) or lines.count(b"\n") != len(values) - 1:
        raise ValueError("not from brace to brace on one line")
    events: list[FastEvent] = _decode_lines(lines)
    if len(events) != len(values):
        raise ValueError("more than one event in a value")
    return events


def _forms_are_plain(events: list[FastEvent], latest: datetime) -> bool:
    """Raises ValueError for a day or hour that does not exist."""
    times = [event.timestamp for event in events]
    return (
        are_uuid7([event.id for event in events])
        and are_utc(times)
        and max(map(datetime.fromisoformat, times)) <= latest
    )
