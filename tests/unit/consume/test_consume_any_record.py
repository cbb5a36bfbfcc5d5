"""Whatever a record has around its value: each is a row or a letter, and the offset moves on."""

from hypothesis import given
from hypothesis import strategies as st

from activity_consume.dead_letter.model import as_time
from tests.support.odd_messages import odd
from tests.support.records import Message, any_around
from tests.unit.consume.test_consume_accumulator import NOW_S, accumulator, offsets, taken

INT64 = st.integers(-(2**63), 2**63 - 1)
values = st.none() | st.binary(max_size=50) | st.builds(odd)


@given(st.lists(st.tuples(values, any_around), min_size=1, max_size=300))
def test_any_record_is_a_row_or_a_letter(records: list[tuple[bytes | None, Message]]) -> None:
    sent = [
        Message(offset, value, one.key, one.headers, one.timestamp)
        for offset, (value, one) in enumerate(records)
    ]
    inside = accumulator()
    inside.add(sent, NOW_S)
    batch = taken(inside)
    is_event = [value is not None and value.startswith(b'{"id"') for value, _ in records]
    assert offsets(batch) == [n for n, event in enumerate(is_event) if event]
    assert [one.record for one in batch.dead] == [
        record for record, event in zip(sent, is_event, strict=True) if not event
    ]
    for row in batch.rows:  # as it was, should the engine refuse it
        record = sent[row.offset]
        assert (row.timestamp, row.key, row.value) == (record.timestamp, record.key, record.value)
        assert row.headers == record.headers
    assert inside.next_offset == len(sent)


@given(INT64)
def test_any_timestamp_is_a_time_that_the_table_holds(millis: int) -> None:
    time = as_time(millis)
    assert 1900 <= time.year <= 2299
    if -(10**12) < millis < 10**13:
        assert round(time.timestamp() * 1000) == millis


def test_what_waits_is_counted_with_its_key_and_headers() -> None:
    """Or a few records with huge ones would fill the memory unseen."""
    huge = b"x" * 100_000
    for value in (odd(), b"no event"):
        for around in (
            Message(0, value, key=huge),
            Message(0, value, headers=(("h", huge),)),
            Message(0, value, headers=(("h" * 100_000, None),)),
        ):
            assert accumulator().add([around], NOW_S) > 100_000
