"""Many messages at once against one at a time: what passes together passes alone, as the same."""

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_consume.batching.rows import PackedRows, Row, halves
from activity_consume.validation.bulk import validate_many
from activity_consume.validation.validate import ValidEvent, validate
from activity_schemas.event import ActivityEvent
from tests.support.any_event import any_event
from tests.support.odd_messages import NOW, ODD, odd
from tests.support.records import FAR, Message, row

# Deeper metadata, and a colon in a name, are for the model alone to validate.
_PLAIN = {"metadata": {"note": "}\n{", "list": [1, {"a": None}]}, "token_usage": {"total": 3}}
shallow = any_event.map(lambda event: event.model_copy(update=_PLAIN))
events = st.lists(shallow, min_size=1, max_size=4)
few = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])


def messages(*values: bytes | None) -> list[Message]:
    return [Message(7 + 2 * number, value, key=b"acme") for number, value in enumerate(values)]


def packed(records: list[Message]) -> PackedRows:
    found = validate_many([record.value for record in records], FAR)
    assert found is not None
    around = [record.headers for record in records]
    return PackedRows.of(records, around if any(around) else [], found[1])


def agree(records: list[Message]) -> bool:
    """Whether they passed; then each is what `validate` says of it."""
    found = validate_many([record.value for record in records], FAR)
    if found is None:
        return False
    chunk, read = packed(records), found[0]
    rows = chunk.rows()
    assert len(chunk) == len(rows) == len(records)
    for record, one, event, pair in zip(records, rows, read, chunk.values(), strict=True):
        verdict = validate(record.value, FAR)
        assert isinstance(verdict, ValidEvent)
        assert verdict.value == record.value == one.json == one.value
        assert pair == (record.offset, record.value)
        assert verdict.id == event.id == one.id
        assert (verdict.org_id, verdict.timestamp) == (event.org_id, event.timestamp)
        assert (one.offset, one.timestamp, one.key, one.headers) == (
            record.offset,
            record.timestamp,
            record.key,
            record.headers,
        )
    return True


@few
@given(events)
def test_our_own_events_pass(some: list[ActivityEvent]) -> None:
    assert agree(messages(*(event.to_json() for event in some)))


@few
@given(events, st.sampled_from(sorted(ODD)))
def test_an_odd_one_among_them(some: list[ActivityEvent], name: str) -> None:
    agree(messages(*(event.to_json() for event in some), ODD[name], some[0].to_json()))


@few
@given(st.lists(shallow, min_size=2, max_size=3), st.sets(st.integers(1, 3000), max_size=4))
def test_events_that_are_cut_at_other_places_do_not_pass(
    some: list[ActivityEvent], cuts: set[int]
) -> None:
    """The same bytes on the whole, but not an event in each value."""
    values = [event.to_json() for event in some]
    whole = b"\n".join(values)
    places = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    pieces = [whole[begin:end].strip(b"\n") for begin, end in pairwise(places)]
    assert agree(messages(*pieces)) == (pieces == values)


def test_what_would_be_as_many_on_the_whole() -> None:
    one = odd()
    assert agree(messages(one, one))
    middle = one.index(b",") + 1
    for pieces in (
        [one + one, b""],
        [one + b"\n" + one, one[:middle], one[middle:]],
        [one + b" " + one[:middle], one[middle:]],
        [one[:middle] + b"\n" + one[middle:]],
        [b" " + one],
        [one + b" "],
        [None, one],
        [],
    ):
        assert not agree(messages(*pieces))


def test_key_headers_and_clock() -> None:
    one = odd()
    around = (("", None), ("dd-pathway-ctx", b"\xff\x9a"), ("", b""))
    assert agree([Message(0, one, key=b"\xff")])
    assert agree([Message(0, one), Message(1, one, key=b"\xa9", headers=around)])
    ahead = odd(timestamp=f'"{NOW.isoformat()[:19]}.000001Z"')
    assert validate_many([ahead], NOW) is None
    now = odd(timestamp=f'"{NOW.isoformat()[:19]}.000000Z"')
    assert validate_many([now], NOW) is not None


def test_halving_ends_at_each_event_alone() -> None:
    """That is how the one is found that the engine does not take."""
    chunks = [packed(messages(*[row(0).json] * n)) for n in (1, 4)]
    alone: list[int] = []
    parts: list[Sequence[Row | PackedRows]] = [[chunks[0], chunks[1].without({9}), row(99)]]
    while parts:
        part = parts.pop()
        if len(part) == 1 and isinstance(one := part[0], Row):
            alone.append(one.offset)
        elif part:
            parts += halves(part)
    assert sorted(alone) == [7, 7, 11, 13, 99]


def test_a_chunk_without_some_of_its_events() -> None:
    chunk = packed(messages(*(row(0).json for _ in range(5)))).without({9, 15, 99})
    assert len(chunk) == 3
    assert [offset for offset, _ in chunk.values()] == [7, 11, 13]
    assert [one.offset for one in chunk.without({7}).rows()] == [11, 13]
