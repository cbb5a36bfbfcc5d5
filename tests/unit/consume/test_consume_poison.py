"""Too much poison in a row: what is kept, what is said, and how it goes on."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.batching.poison import PoisonCount
from activity_consume.dead_letter.poison_stops import PoisonRun, PoisonStop
from activity_consume.record import TopicPartition
from activity_schemas.uuid7 import uuid7
from tests.unit.consume.test_consume_accumulator import (
    NOW_S,
    accumulator,
    good,
    offsets,
    poison,
    taken,
)

RUN = PoisonRun(TopicPartition("events", 0), 3, 5, 3, "malformed_json: x")


def test_it_ends_where_there_is_too_much_and_keeps_what_is_before() -> None:
    inside = accumulator(poison_limit=3)
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
    inside = accumulator(poison_limit=3)
    for offset in range(3):
        inside.add([poison(offset)], NOW_S)
        taken(inside)
    assert (inside.poison and inside.poison.first_offset, inside.next_offset) == (0, 3)


def test_what_is_in_the_table_already_ends_a_run() -> None:
    inside = accumulator(present={1}, poison_limit=2)
    inside.add([poison(0), good(1), poison(2)], NOW_S)
    assert inside.poison is None


def test_refused_by_the_engine_counts_too() -> None:
    inside = accumulator(poison_limit=2)
    inside.add([good(number) for number in range(5)], NOW_S)
    batch = taken(inside)
    rows = batch.rows
    inside.refused(batch, rows[0], "no")
    assert inside.written(batch) is None
    for row in rows[2:4]:
        inside.refused(batch, row, "no")
    run = inside.written(batch)
    assert run == PoisonRun(TopicPartition("events", 0), 2, 3, 2, "refused_by_clickhouse: no")


def outcome(limit: int, kinds: str, ends: set[int]) -> PoisonRun | None:
    """Of records (g: good, p: refused here, r: by the engine, d: a copy, k: in the table already),
    with a batch that ends after some of them."""
    known = {offset for offset, kind in enumerate(kinds) if kind == "k"}
    inside = accumulator(present=known, poison_limit=limit)
    for offset, kind in enumerate(kinds):
        inside.add(
            [poison(offset) if kind == "p" else good(offset, ID if kind == "d" else None)], NOW_S
        )
        if offset in ends or offset == len(kinds) - 1:
            batch = taken(inside)
            for row in batch.rows:
                if kinds[row.offset] == "r":
                    inside.refused(batch, row, "no")
            assert inside.copies(batch) == []
            if run := inside.written(batch):
                return run
            inside.settled()
    return None


ID = str(uuid7(1_767_322_800_000))


@pytest.mark.parametrize(
    ("kinds", "run"),
    [
        ("gprp", (1, 3)),
        ("rpr", (0, 2)),
        ("prgpr", None),
        ("drpdrp", None),
        ("prkrp", None),
        ("prrp", (0, 2)),
    ],
)
@pytest.mark.parametrize("ends", [set[int](), {0, 1, 2, 3, 4, 5}, {1}])
def test_refused_here_and_by_the_engine_is_one_run(
    kinds: str, run: tuple[int, int] | None, ends: set[int]
) -> None:
    found = outcome(3, kinds, ends)
    assert (found and (found.first_offset, found.last_offset)) == run


@given(st.text("gprdk", min_size=1, max_size=30), st.sets(st.integers(0, 30)), st.integers(2, 4))
def test_runs_of_any_records(kinds: str, ends: set[int], limit: int) -> None:
    bad = "".join("b" if kind in "pr" else "g" for kind in kinds)
    first = bad.find("b" * limit)
    if "p" * limit in kinds:
        return  # found when it is read: nothing after it is taken
    found = outcome(limit, kinds, ends)
    assert (found and found.first_offset) == (first if first >= 0 else None)


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
    count = PoisonCount(TopicPartition("events", 0), limit, accepted)
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
