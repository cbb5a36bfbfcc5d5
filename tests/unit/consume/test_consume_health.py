"""What is said, and when; the time is handed in."""

import logging

import pytest

from activity_consume.health import Health, Part
from activity_telemetry.logs import OneLine, Quiet


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    lines = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return lines


def test_a_line_when_it_begins_one_a_minute_and_one_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    health = Health(clock)
    for _ in range(130):
        health.failed("probe", Part.KAFKA, "Kafka: away", then="Start it")
        health.tick()
        clock.now += 1
    assert said(caplog) == [
        "Kafka: away. Start it",
        "for 60 s now: Kafka: away",
        "for 120 s now: Kafka: away",
    ]
    assert health.trouble == "Kafka: away"
    assert not health.is_up(Part.KAFKA)
    health.recovered("probe")
    assert health.trouble == ""
    assert health.is_up(Part.KAFKA)
    clock.now += 5
    health.tick()
    health.tick()
    assert said(caplog) == ["over after 130 s: Kafka: away"]


def test_a_part_is_well_when_nobody_says_otherwise(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    health = Health(clock)
    health.failed("one", Part.CLICKHOUSE, "ClickHouse: one")
    health.failed("two", Part.CLICKHOUSE, "ClickHouse: two")
    health.failed("three", Part.KAFKA, "Kafka: three")
    health.recovered("one")
    assert health.trouble == "ClickHouse: two; Kafka: three"
    health.recovered("two")
    health.recovered("two")
    assert health.trouble == "Kafka: three"
    assert said(caplog) == ["ClickHouse: one", "Kafka: three"]


def test_well_for_a_moment_between_two_attempts_is_not_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    health = Health(clock)
    for _ in range(40):
        health.failed("writer", Part.CLICKHOUSE, "ClickHouse: refused")
        clock.now += 1
        health.recovered("writer")
        health.tick()
    assert said(caplog) == ["ClickHouse: refused"]


def test_what_does_not_block_is_said_and_ready(caplog: pytest.LogCaptureFixture) -> None:
    health = Health(Clock())
    health.failed("one", "transaction", "an open transaction", blocks=False)
    assert health.trouble == ""
    assert said(caplog) == ["an open transaction"]


def _record(name: str, text: str, *values: object) -> logging.LogRecord:
    return logging.LogRecord(name, logging.ERROR, __file__, 1, text, values, None)


def test_a_library_says_the_same_once_a_minute_and_three_things_at_most() -> None:
    clock = Clock()
    quiet = Quiet("activity_consume", clock)
    passed = [quiet.filter(_record("aiokafka.conn", "away %d", n)) for n in range(100)]
    assert passed.count(True) == 1
    passed = [quiet.filter(_record("aiokafka.cluster", f"other {n}")) for n in range(100)]
    assert passed.count(True) == 2
    assert quiet.filter(_record("urllib3", "away"))
    assert all(quiet.filter(_record("activity_consume", "ours")) for _ in range(100))
    clock.now += 61
    record = _record("aiokafka.conn", "away %d", 7)
    assert quiet.filter(record)
    assert record.getMessage() == "away 7 (197 lines of aiokafka were left out)"


def test_an_exception_is_one_line() -> None:
    record = _record("activity_consume", "failed\n%s", "x")
    record.exc_info = (ValueError, ValueError("a\nb"), None)
    assert OneLine("%(message)s").format(record) == "failed x: ValueError('a\\nb')"
