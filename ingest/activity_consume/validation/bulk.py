"""Messages as our producers write them, validated many at a time: half the work of one by one."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from activity_consume.validation.formats import are_utc, are_uuid7
from activity_consume.validation.validate import FastEvent, are_plain, finds_metadata

_decode_lines = msgspec.json.Decoder(FastEvent).decode_lines


def validate_many(
    values: Sequence[bytes | None], latest: datetime
) -> tuple[list[FastEvent], bytes] | None:
    """All of them as events, and their bytes, one a line, if `validate` takes each as it is; else
    None: then each has to be validated by itself. `latest`: a timestamp after this one is a broken
    clock.

    The events hold on to all of the bytes: they must not be kept.
    """
    given = [value for value in values if value is not None]
    if not given or len(given) < len(values):
        return None
    lines = b"\n".join(given)
    try:
        events = _one_a_value(given, lines)
        plain = _formats_are_plain(events, latest) and are_plain(events, lines)
        if not (plain and all(map(finds_metadata, given, events))):
            return None
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return events, lines


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


def _formats_are_plain(events: list[FastEvent], latest: datetime) -> bool:
    """Raises ValueError for a day or hour that does not exist."""
    times = [event.timestamp for event in events]
    return (
        are_uuid7([event.id for event in events])
        and are_utc(times)
        and max(map(datetime.fromisoformat, times)) <= latest
    )
