"""Log lines that do not flood."""

import pytest

from activity_emit.logs import RateLimitedLogger


def test_a_kind_is_logged_once_a_minute_with_what_was_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notices = RateLimitedLogger()
    for second in range(120):
        notices.warn("full", "the spool is full", now=1000.0 + second)
    notices.warn("kafka", "no broker: %s", "away", now=1001.0)
    notices.warn("full", "the spool is full", now=1120.0)
    assert [record.getMessage() for record in caplog.records] == [
        "the spool is full",
        "the spool is full (59 more since the last line)",
        "no broker: away",
        "the spool is full (59 more since the last line)",
    ]
