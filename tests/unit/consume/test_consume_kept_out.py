"""Batches without what is to be kept out: on arrival, or erased since they were filled."""

from datetime import UTC, datetime
from typing import Any

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.batching.batch import Batch
from activity_consume.batching.dedup import DedupWindow
from activity_consume.batching.keep_out import keep_out, keep_out_letters
from activity_consume.erasure.rules import NONE, Rule, Rules, Why, micros
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_schemas.uuid7 import uuid7
from tests.support.odd_messages import NOW, odd
from tests.support.records import Message

NOW_S = NOW.timestamp()
_US = micros(datetime(2100, 1, 1, tzinfo=UTC).isoformat()) or 0
ADA = Rules([Rule("erasure", "acme", "ada", _US)])


def good(offset: int, user: str = "ada", id_: str = "", **changed: str) -> Message:
    value = odd(
        id=f'"{id_ or uuid7(1_767_322_800_000)}"',
        org_id='"acme"',
        user_id=f'"{user}"',
        producer_id='"p"',
        seq=str(offset),
        **changed,
    )
    return Message(offset, value)


def bad(offset: int, user: str = "ada") -> Message:
    return Message(offset, b'{"org_id":"acme","user_id":"%b"' % user.encode())


class Filled:
    """An accumulator whose list may be changed."""

    def __init__(
        self, rules: Rules = NONE, present: set[int] | None = None, **settings: Any
    ) -> None:
        self.rules = rules
        self.accumulator = BatchAccumulator(
            TopicPartition("events", 0),
            0,
            present or set(),
            DedupWindow(100),
            ConsumerSettings(**settings),
            erasures=lambda: self.rules,
        )

    def add(self, *messages: Message) -> None:
        self.accumulator.add(messages, NOW_S)

    def take(self) -> Batch:
        batch = self.accumulator.take()
        assert batch is not None
        return batch


def offsets(batch: Batch) -> list[int]:
    return [row.offset for row in batch.rows]


def numbers(batch: Batch) -> list[int]:
    return [one.seq for one in batch.kept_out]


def test_many_plain_events_and_some_that_are_kept_out() -> None:
    filled = Filled(ADA)
    filled.add(*(good(n, ("bob", "ada")[n % 5 == 0]) for n in range(20)))
    batch = filled.take()
    assert offsets(batch) == [n for n in range(20) if n % 5]
    assert (batch.count, batch.next_offset, batch.duplicates) == (16, 20, 0)
    assert numbers(batch) == [0, 5, 10, 15]
    assert {one.producer_id for one in batch.kept_out} == {"p"}
    assert batch.checked is ADA


def test_nothing_of_theirs_stays_packed_as_it_came() -> None:
    filled = Filled(ADA)
    filled.add(*(good(n, "bob") for n in range(20)))
    assert len(filled.take().packed) == 1


def test_all_of_it_is_kept_out_and_the_batch_is_settled_all_the_same() -> None:
    filled = Filled(ADA)
    filled.add(good(0), good(1))
    batch = filled.take()
    assert (batch.base_offset, batch.next_offset, batch.count) == (0, 2, 0)


def test_no_dead_letter_and_no_poison() -> None:
    filled = Filled(ADA, poison_limit=3)
    filled.add(*(bad(n) for n in range(10)), bad(10, "bob"))
    batch = filled.take()
    assert [letter.record.offset for letter in batch.dead] == [10]
    assert len(batch.kept_out) == 10
    assert filled.accumulator.poison is None


def test_a_row_that_is_in_the_table_is_no_arrival() -> None:
    filled = Filled(ADA, present={0, 1})
    filled.add(good(0), good(1), good(2))
    assert numbers(filled.take()) == [2]


def test_a_copy_of_what_was_kept_out_is_kept_out_too() -> None:
    id_ = str(uuid7(1_767_322_800_000))
    filled = Filled(ADA)
    filled.add(good(0, id_=id_), good(1, id_=id_))
    batch = filled.take()
    assert (numbers(batch), batch.duplicates) == ([0, 1], 0)


def test_erased_while_the_batch_was_filled() -> None:
    filled = Filled()
    filled.add(good(0), good(1, "bob"), bad(2), bad(3, "bob"))
    filled.rules = ADA
    filled.add(good(4), good(5, "bob"))
    batch = filled.take()
    assert batch.checked is None  # parts of it were compared with another list
    letters = keep_out_letters(batch, ADA)
    rows, found = keep_out(batch, [*batch.packed, *batch.singles], ADA)
    assert [number for row in rows for number, _ in row.values()] == [1, 5]
    assert [one.seq for one in found] == [0]
    assert (batch.count, len(letters), len(batch.dead)) == (2, 1, 1)


def test_erased_after_it_was_taken_packed_and_alone() -> None:
    """Also copies that would go in if the engine refused their first."""
    id_ = str(uuid7(1_767_322_800_000))
    filled = Filled()
    filled.add(*(good(n, ("ada", "bob")[n % 2]) for n in range(4)))
    filled.add(good(4, id_=id_), good(5, "bob"), good(6, id_=id_))
    batch = filled.take()
    assert batch.packed and batch.copies and batch.checked is NONE
    rows, found = keep_out(batch, [*batch.packed, *batch.singles], ADA)
    assert sorted(number for row in rows for number, _ in row.values()) == [1, 3, 5]
    assert sorted(one.seq for one in found) == [0, 2, 4, 6]
    assert (batch.count, batch.duplicates, batch.copies) == (3, 0, {id_: []})


def test_what_has_run_out_says_so() -> None:
    before = micros("2021-01-01T00:00:00Z") or 0
    filled = Filled(Rules([Rule("retention", "", "", before)]))
    filled.add(good(0, timestamp='"2020-12-31T23:59:59Z"'), good(1))
    batch = filled.take()
    assert offsets(batch) == [1]
    assert [one.why for one in batch.kept_out] == [Why.EXPIRED]
