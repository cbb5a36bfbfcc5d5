"""Marks: how far the table is, told by instants."""

from activity_consume.record import TopicPartition
from activity_consume.sink.watermark import Watermark, Watermarks

A, B = TopicPartition("t", 0), TopicPartition("t", 1)


def test_a_mark_is_passed_when_all_before_it_is_settled() -> None:
    marks = Watermarks()
    marks.set({A: 10, B: 0}, at_ms=1000, partitions=2)
    assert marks.passed({A: 9, B: 0}) == [(B, Watermark(1000, 0, 2))]
    assert marks.passed({A: 10, B: 0}) == [(A, Watermark(1000, 10, 2))]
    assert marks.passed({A: 99, B: 99}) == []


def test_a_later_mark_does_not_move_an_open_one() -> None:
    marks = Watermarks()
    marks.set({A: 10}, at_ms=1000, partitions=2)
    marks.set({A: 20}, at_ms=2000, partitions=2)
    assert marks.passed({A: 15}) == [(A, Watermark(1000, 10, 2))]
    marks.set({A: 30}, at_ms=3000, partitions=2)
    assert marks.passed({A: 29}) == []
    assert marks.passed({A: 30}) == [(A, Watermark(3000, 30, 2))]


def test_a_partition_that_has_left_and_come_back_gets_a_new_mark() -> None:
    marks = Watermarks()
    marks.set({A: 10, B: 5}, at_ms=1000, partitions=2)
    assert marks.passed({B: 5}) == [(B, Watermark(1000, 5, 2))]
    marks.set({A: 20}, at_ms=2000, partitions=2)
    assert marks.passed({A: 10}) == []
    assert marks.passed({A: 20}) == [(A, Watermark(2000, 20, 2))]


def test_a_mark_tells_how_many_partitions_there_were_at_its_own_instant() -> None:
    """Not how many there are when it is passed: by then some may have been added."""
    marks = Watermarks()
    marks.set({A: 10, B: 5}, at_ms=1000, partitions=2)
    assert marks.passed({A: 9, B: 5}) == [(B, Watermark(1000, 5, 2))]
    marks.set({A: 20, B: 6}, at_ms=2000, partitions=3)
    assert marks.passed({A: 10, B: 6}) == [(A, Watermark(1000, 10, 2)), (B, Watermark(2000, 6, 3))]
