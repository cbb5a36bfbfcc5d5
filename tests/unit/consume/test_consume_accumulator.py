"""From records to batches: what is left out, what asks, when a batch is due. Time is handed in."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.batch import Batch
from activity_consume.batching.dedup import DedupWindow
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.validation.validate import Reason
from activity_kafka.headers import RESENT_HEADER
from activity_schemas.uuid7 import uuid7
from tests.support.odd_messages import NOW, odd
from tests.support.records import Message

NOW_S = NOW.timestamp()
OLD = "01900000-0000-7000-8000-000000000001"
HORIZON = "01900000-ffff-7000-8000-000000000000"


def accumulator(
    next_offset: int = 0, present: set[int] | None = None, horizon: str = "", **settings: Any
) -> BatchAccumulator:
    window = DedupWindow(settings.pop("id_window", 100), horizon)
    configured = ConsumerSettings(**settings)
    return BatchAccumulator(
        TopicPartition("events", 0), next_offset, present or set(), window, configured
    )


def good(
    offset: int,
    id_: str | None = None,
    *headers: tuple[str, bytes | None],
    at_s: float = NOW_S,
) -> Message:
    """Its bytes are its own: even a copy of an event may say another `seq`."""
    value = odd(id=f'"{id_ or uuid7(1_767_322_800_000)}"', seq=str(offset))
    return Message(offset, value, headers=headers, timestamp=int(at_s * 1000))


def poison(offset: int) -> Message:
    return Message(offset, b"nonsense")


def taken(of: BatchAccumulator) -> Batch:
    batch = of.take()
    assert batch is not None
    return batch


def offsets(batch: Batch) -> list[int]:
    return [row.offset for row in batch.rows]


def asks(batch: Batch) -> list[bool]:
    return [row.lookup is not None for row in batch.rows]


def test_rows_and_dead_letters_in_their_order() -> None:
    inside = accumulator(5)
    inside.add([good(5), poison(6), good(7), Message(8, None)], NOW_S)
    batch = taken(inside)
    assert (batch.base_offset, batch.next_offset) == (5, 9)
    assert offsets(batch) == [5, 7]
    assert [(one.record.offset, one.reason) for one in batch.dead] == [
        (6, Reason.MALFORMED_JSON),
        (8, Reason.NULL_VALUE),
    ]
    assert inside.next_offset == 9


def test_offsets_that_are_in_the_table_are_skipped() -> None:
    inside = accumulator(5, present={6, 7})
    inside.add([good(5), good(6), poison(7), good(8)], NOW_S)
    batch = taken(inside)
    assert offsets(batch) == [5, 8]
    assert not batch.dead
    assert batch.next_offset == 9


def test_a_batch_of_nothing_new_still_ends_further_on() -> None:
    inside = accumulator(0, present={0, 1})
    inside.add([good(0), good(1)], NOW_S)
    batch = taken(inside)
    assert (batch.rows, batch.base_offset, batch.next_offset) == ([], 0, 2)
    assert inside.take() is None


def test_an_id_is_taken_once_within_a_batch_and_across() -> None:
    inside = accumulator()
    id_ = str(uuid7(1_767_322_800_000))
    inside.add([good(0, id_), good(1, id_)], NOW_S)
    first = taken(inside)
    inside.add([good(2, id_), good(3)], NOW_S)
    second = taken(inside)
    assert (offsets(first), first.duplicates) == ([0], 1)
    assert (offsets(second), second.duplicates) == ([3], 1)
    assert not any(row.lookup for row in (*first.rows, *second.rows))


def test_an_old_id_asks_the_table_once_in_a_batch_and_again_in_the_next() -> None:
    inside = accumulator(horizon=HORIZON)
    inside.add([good(0, OLD), good(1, OLD)], NOW_S)
    first = taken(inside)
    inside.add([good(2, OLD)], NOW_S)
    second = taken(inside)
    assert (offsets(first), asks(first), first.duplicates) == ([0], [True], 1)
    assert (offsets(second), asks(second), second.duplicates) == ([2], [True], 0)


def test_an_id_does_not_get_old_within_a_batch() -> None:
    """The table knows the batch's ids only after its insert, so the window has to."""
    inside = accumulator(id_window=3)
    copies = [good(number, f"0190000{number}-0000-7000-8000-000000000001") for number in range(6)]
    again = [Message(6 + copy.offset, copy.value) for copy in copies]
    inside.add([*copies, *again], NOW_S)
    batch = taken(inside)
    assert (len(batch.rows), batch.duplicates) == (6, 6)
    inside.add([Message(12, copies[0].value), Message(13, copies[5].value)], NOW_S)
    batch = taken(inside)
    assert (offsets(batch), asks(batch)) == ([12], [True])
    assert batch.duplicates == 1


def test_what_a_spool_sends_again_asks_the_table() -> None:
    inside = accumulator()
    inside.add([good(0, None, (RESENT_HEADER, b"1")), good(1, None, ("other", None))], NOW_S)
    assert asks(taken(inside)) == [True, False]


def test_a_clock_too_far_ahead_is_a_dead_letter() -> None:
    inside = accumulator(future_limit_s=60)
    stamps = ["2026-07-01T12:01:00Z", "2026-07-01T12:01:01Z"]
    records = [Message(n, odd(timestamp=f'"{stamp}"')) for n, stamp in enumerate(stamps)]
    inside.add(records, NOW_S)
    batch = taken(inside)
    assert offsets(batch) == [0]
    assert [letter.reason for letter in batch.dead] == [Reason.TIMESTAMP_IN_FUTURE]


def test_due_by_age() -> None:
    inside = accumulator(batch_max_age_s=2)
    assert not inside.is_due(NOW_S)
    inside.add([good(0)], NOW_S)
    inside.add([good(1)], NOW_S + 1.5)
    assert not inside.is_due(NOW_S + 1.9)
    assert inside.due_in(NOW_S + 1.5) == pytest.approx(0.5)
    assert inside.is_due(NOW_S + 2)
    assert inside.due_in(NOW_S + 3) == 0
    taken(inside)
    assert not inside.is_due(NOW_S + 99)
    inside.add([good(2)], NOW_S + 100)
    assert not inside.is_due(NOW_S + 101)


def test_what_comes_first_has_waited_for_the_partitions_owner() -> None:
    """A partition that moves twice rests for two take-overs, not for two ages of a batch too."""
    inside = accumulator(batch_max_age_s=2)
    inside.add([good(0, at_s=NOW_S - 1.5)], NOW_S)
    assert inside.due_in(NOW_S) == pytest.approx(0.5)
    late = accumulator(batch_max_age_s=2)
    late.add([good(0, at_s=NOW_S - 900), good(1, at_s=NOW_S - 0.1)], NOW_S)
    assert late.is_due(NOW_S)
    first = taken(late)
    assert offsets(first) == [0, 1]
    assert NOW_S - first.opened_at == 2  # how long a batch was open is measured, and not its events
    late.add([good(2, at_s=NOW_S - 900)], NOW_S)
    assert late.due_in(NOW_S) == 2


def test_a_clock_that_is_ahead_makes_no_batch_wait_longer() -> None:
    inside = accumulator(batch_max_age_s=2)
    inside.add([good(0, at_s=NOW_S + 500)], NOW_S)
    assert inside.due_in(NOW_S) == 2


def test_due_by_rows_and_by_bytes() -> None:
    by_rows = accumulator(batch_max_rows=2)
    by_rows.add([good(0)], NOW_S)
    assert not by_rows.is_due(NOW_S)
    by_rows.add([good(1)], NOW_S)
    assert by_rows.is_due(NOW_S)
    by_bytes = accumulator(batch_max_bytes=10_000)
    by_bytes.add([good(0)], NOW_S)
    assert not by_bytes.is_due(NOW_S)
    by_bytes.add([Message(1, b"x" * 10_000)], NOW_S)
    assert by_bytes.is_due(NOW_S)


def test_it_says_when_there_is_something_and_how_much() -> None:
    inside = accumulator()
    assert (inside.filled.is_set(), inside.size) == (False, 0)
    assert inside.add([], NOW_S) == 0
    assert not inside.filled.is_set()
    added = inside.add([good(0), poison(1)], NOW_S)
    assert (inside.filled.is_set(), inside.size) == (True, added)
    assert taken(inside).size == added
    assert (inside.filled.is_set(), inside.size) == (False, 0)


records = st.lists(st.sampled_from("gpdo "), max_size=40)  # good, poison, duplicate, old; ' ': hole


@given(records, st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_batches_cover_every_offset_once(
    kinds: list[str], present: set[int], taken_after: set[int]
) -> None:
    """A chain `[base, next)` without hole or overlap, whatever the records are."""
    inside = accumulator(present=set(present), horizon=HORIZON)
    same = str(uuid7(1_767_322_800_000))
    make: dict[str, Callable[[int], Message]]
    make = {"g": good, "p": poison, "d": lambda n: good(n, same), "o": lambda n: good(n, OLD)}
    batches: list[Batch] = []
    for offset, kind in enumerate(kinds):
        if kind != " ":  # compacted away
            inside.add([make[kind](offset)], NOW_S)
        if offset in taken_after and (batch := inside.take()):
            batches.append(batch)
    batches += [batch] if (batch := inside.take()) else []
    end = 0
    for batch in batches:
        assert batch.base_offset == end < batch.next_offset
        end = batch.next_offset
        found = [*offsets(batch), *(letter.record.offset for letter in batch.dead)]
        assert all(batch.base_offset <= offset < end for offset in found)
        assert not present & set(found)
        assert len(found) == len(set(found))
        ids = [row.id for row in batch.rows]
        assert len(ids) == len(set(ids))
    assert end == inside.next_offset
