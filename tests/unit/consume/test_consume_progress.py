"""Marks: how far the table is, told by instants."""

from activity_consume.batching.batch import Source
from activity_consume.sink.watermark import Marks

A, B = Source("t", 0), Source("t", 1)


def test_a_mark_is_passed_when_all_before_it_is_settled() -> None:
    marks = Marks()
    marks.set({A: 10, B: 0}, at_ms=1000)
    assert marks.passed({A: 9, B: 0}) == [(B, 1000)]
    assert marks.passed({A: 10, B: 0}) == [(A, 1000)]
    assert marks.passed({A: 99, B: 99}) == []


def test_a_later_mark_does_not_move_an_open_one() -> None:
    marks = Marks()
    marks.set({A: 10}, at_ms=1000)
    marks.set({A: 20}, at_ms=2000)
    assert marks.passed({A: 15}) == [(A, 1000)]
    marks.set({A: 30}, at_ms=3000)
    assert marks.passed({A: 29}) == []
    assert marks.passed({A: 30}) == [(A, 3000)]


def test_a_partition_that_has_left_and_come_back_gets_a_new_mark() -> None:
    marks = Marks()
    marks.set({A: 10, B: 5}, at_ms=1000)
    assert marks.passed({B: 5}) == [(B, 1000)]
    marks.set({A: 20}, at_ms=2000)
    assert marks.passed({A: 10}) == []
    assert marks.passed({A: 20}) == [(A, 2000)]
