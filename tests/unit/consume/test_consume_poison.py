"""Too much poison in a row: what is kept, what is said, and how it goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.batching.batch import Source
from activity_consume.batching.poison import PoisonCount, PoisonRun
from activity_consume.dead_letter.poison_stops import PoisonStop
from tests.unit.consume.test_consume_intake import NOW_S, good, intake, offsets, poison, taken

RUN = PoisonRun(Source("events", 0), 3, 5, 3, "malformed_json: x")


def test_it_ends_where_there_is_too_much_and_keeps_what_is_before() -> None:
    inside = intake(poison_limit=3)
    inside.add([poison(0), poison(1), good(2), poison(3), poison(4)], NOW_S)
    assert inside.poison is None
    inside.add([poison(5), good(6), poison(7)], NOW_S)
    assert inside.is_due(NOW_S)
    batch = taken(inside)
    assert (offsets(batch), batch.next_offset) == ([2], 6)
    assert [letter.record.offset for letter in batch.dead] == [0, 1, 3, 4, 5]
    assert (inside.poison and inside.poison.first_offset) == 3
    assert inside.add([good(6)], NOW_S) == 0
    assert (inside.take(), inside.next_offset) == (None, 6)


def test_a_run_over_several_batches_is_one() -> None:
    inside = intake(poison_limit=3)
    for offset in range(3):
        inside.add([poison(offset)], NOW_S)
        taken(inside)
    assert (inside.poison and inside.poison.first_offset, inside.next_offset) == (0, 3)


def test_what_is_in_the_table_already_ends_a_run() -> None:
    inside = intake(present={1}, poison_limit=2)
    inside.add([poison(0), good(1), poison(2)], NOW_S)
    assert inside.poison is None


def test_refused_by_the_engine_counts_too() -> None:
    inside = intake(poison_limit=2)
    inside.add([good(number) for number in range(5)], NOW_S)
    rows = taken(inside).rows
    assert inside.refused(rows[0], "no") is None
    inside.written()
    assert inside.refused(rows[2], "no") is None
    run = inside.refused(rows[3], "no")
    assert run == PoisonRun(Source("events", 0), 2, 3, 2, "no")


def test_the_text_says_where_and_what_to_do() -> None:
    text = str(RUN)
    assert "events-0: 3 messages in a row are no events, offsets 3 to 5" in text
    assert "malformed_json" in text
    assert "activity dlq accept events/0/5" in text
    assert "ACTIVITY_CONSUMER_POISON_LIMIT" in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("accepted", "next_offset", "limit", "holds"),
    [
        (-1, 6, 3, True),
        (-1, 0, 3, True),  # it ended before it had committed
        (4, 6, 3, True),
        (5, 6, 3, False),
        (99, 6, 3, False),
        (-1, 7, 3, False),  # somebody has moved the group past it
        (-1, 6, 4, False),  # so many are not too many any more
    ],
)
def test_a_stop_holds_until_it_is_accepted(
    accepted: int, next_offset: int, limit: int, holds: bool
) -> None:
    assert PoisonStop(RUN, accepted).holds(next_offset, limit) is holds


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 4), st.integers(-1, 30))
def test_the_first_run_that_is_too_long(events: list[bool], limit: int, accepted: int) -> None:
    count = PoisonCount(Source("events", 0), limit, accepted)
    row = 0
    for offset, is_event in enumerate(events):
        row = 0 if is_event else row + (offset > accepted)
        if is_event:
            count.good()
        elif run := count.bad(offset, ""):
            assert (row, run.messages) == (limit, limit)
            assert (run.first_offset, run.last_offset) == (offset - limit + 1, offset)
            return
        assert row < limit
