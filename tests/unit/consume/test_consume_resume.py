"""resume_offset(): the first offset to read, of all that group, table and log may say."""

import dataclasses

import pytest

from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Committed, LogBounds
from activity_consume.delivery.resume import ResumePoint, cut_off, resume_offset, resume_older
from activity_consume.errors import GapError
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import Progress

SOURCE = TopicPartition("events", 2)
STOP = ConsumerSettings()
CONTINUE = ConsumerSettings(on_retention_gap="continue")


@dataclasses.dataclass(frozen=True)
class Case:
    """`table`: the youngest batch's begin and the last row's offset; `log`: begin and end."""

    committed: int | None
    table: tuple[int, int] | None
    log: tuple[int, int]
    resume: int
    ours: bool = True

    def resume_offset(self, settings: ConsumerSettings = STOP) -> ResumePoint:
        lease = Lease(1) if self.ours else None
        committed = None if self.committed is None else Committed(self.committed, lease)
        progress = self.table and Progress(*self.table)
        return resume_offset(SOURCE, committed, progress or None, LogBounds(*self.log), settings)


@pytest.mark.parametrize(
    "case",
    [
        # Neither Kafka nor ClickHouse knows anything: the first message there is.
        Case(None, None, log=(0, 0), resume=0),
        Case(None, None, log=(0, 50), resume=0),
        Case(None, None, log=(30, 50), resume=30),
        # As committed: nothing in the table from there on, or only part of the next batch.
        Case(50, None, log=(0, 50), resume=50),
        Case(50, None, log=(0, 90), resume=50),
        Case(50, (50, 70), log=(0, 90), resume=50),
        Case(50, (50, 89), log=(0, 90), resume=50),
        Case(50, (40, 49), log=(0, 90), resume=50),
        Case(50, None, log=(50, 90), resume=50),
        # The table is ahead (Kafka has lost offset_store): its youngest batch may not be whole.
        Case(50, (80, 85), log=(0, 90), resume=80),
        # The group was reset or is new: the table counts, wherever the tool has put the offset.
        Case(None, (80, 85), log=(0, 90), resume=80),
        Case(0, (80, 85), log=(0, 90), resume=80, ours=False),
        Case(90, (80, 85), log=(0, 90), resume=80, ours=False),
        Case(None, (0, 5), log=(0, 90), resume=0),
        # Foreign offsets, and nothing of the partition in the table: from the first on.
        Case(90, None, log=(0, 90), resume=0, ours=False),
        Case(90, None, log=(30, 90), resume=30, ours=False),
        # Retention has just reached what is settled.
        Case(50, (50, 85), log=(50, 90), resume=50),
        Case(None, (80, 85), log=(80, 90), resume=80),
    ],
    ids=str,
)
def test_where_to_go_on(case: Case) -> None:
    assert case.resume_offset().offset == case.resume
    assert case.resume_offset().because


@pytest.mark.parametrize(
    "case",
    [
        Case(50, None, log=(60, 90), resume=60),
        Case(50, (40, 49), log=(60, 90), resume=60),
        Case(None, (50, 55), log=(60, 90), resume=60),
        Case(50, None, log=(60, 60), resume=60),
    ],
    ids=str,
)
def test_a_gap_stops_unless_lost_is_lost(case: Case) -> None:
    with pytest.raises(GapError) as stopped:
        case.resume_offset()
    text = str(stopped.value)
    assert "events-2" in text
    assert "10 messages that were never read (offsets 50 to 59)" in text
    assert "ACTIVITY_CONSUMER_ON_RETENTION_GAP=continue" in text
    assert case.resume_offset(CONTINUE).offset == 60


@pytest.mark.parametrize(
    "case",
    [
        Case(50, None, log=(0, 49), resume=0),
        Case(50, (50, 70), log=(0, 70), resume=0),
        Case(None, (80, 85), log=(0, 5), resume=0),
        Case(0, (80, 85), log=(0, 5), resume=0, ours=False),
        Case(50, None, log=(0, 0), resume=0),
    ],
    ids=str,
)
def test_a_topic_that_is_shorter_than_what_was_read_stops(case: Case) -> None:
    for settings in (STOP, CONTINUE):
        with pytest.raises(GapError, match=r"created anew or cut off.*ACTIVITY_KAFKA_TOPIC"):
            case.resume_offset(settings)


@pytest.mark.parametrize(
    ("table", "log", "expected"),
    [
        ((40, 45), (0, 90), 40),  # restored: what came since then is read again
        ((40, 45), (40, 90), 40),
        (None, (0, 90), 0),  # it is empty: all there is
        (None, (30, 90), 30),
    ],
)
def test_a_table_that_is_older_than_the_group(
    table: tuple[int, int] | None, log: tuple[int, int], expected: int
) -> None:
    progress = Progress(*table) if table else None
    committed = Committed(80, Lease(1, written=70))
    assert resume_older(SOURCE, committed, progress, LogBounds(*log), STOP).offset == expected


def test_a_table_that_is_older_than_the_topic_stops() -> None:
    committed, progress = Committed(80, Lease(1, written=70)), Progress(40, 45)
    with pytest.raises(GapError, match=r"10 messages that were never read \(offsets 40 to 49\)"):
        resume_older(SOURCE, committed, progress, LogBounds(50, 90), STOP)
    with pytest.raises(GapError, match="cut off"):
        resume_older(SOURCE, committed, progress, LogBounds(0, 79), STOP)


def test_it_says_what_contradicts_what() -> None:
    assert str(cut_off(SOURCE, 5, 86)).startswith(
        "events-2 ends at offset 5, but all below 86 was read before"
    )
