"""Every form of a time that is read, and what is not guessed."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest

from activity_api.endpoints.iso_time import parse_iso

TIME = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
DATES = ("2026-03-04", "20260304", "2026-W10-3", "2026W103")
TIMES = ("05:06:07.000089", "050607,000089")
OFFSETS = ("", "Z", "z", *(s + o for s in "+- " for o in ("00", "0000", "00:00")))


@pytest.mark.parametrize(
    "text", ["".join(parts) for parts in product(DATES, "Tt ", TIMES, OFFSETS)]
)
def test_each_form_with_each_offset(text: str) -> None:
    assert parse_iso(text) == TIME
    assert parse_iso(f" {text}\t") == TIME


@pytest.mark.parametrize("separator", "Tt ")
@pytest.mark.parametrize("sign", "+ ")
@pytest.mark.parametrize("offset", ["02", "0200", "02:00"])
@pytest.mark.parametrize("time", ["07:06:07", "070607", "07:06:07.000", "07:06:07,000"])
def test_a_lost_plus(time: str, offset: str, sign: str, separator: str) -> None:
    expected = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    for date in DATES:
        assert parse_iso(f"{date}{separator}{time}{sign}{offset}") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *((date, datetime(2026, 3, 4, tzinfo=UTC)) for date in DATES),
        ("2026-W10", datetime(2026, 3, 2, tzinfo=UTC)),
        ("2026-03-04T05", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("2026-03-04 05", datetime(2026, 3, 4, 5, tzinfo=UTC)),  # an hour, not an offset
        ("2026-03-04T05 02", datetime(2026, 3, 4, 3, tzinfo=UTC)),
        ("2026-03-04T05:06 02", datetime(2026, 3, 4, 3, 6, tzinfo=UTC)),
        ("2026-03-04T0506 0230", datetime(2026, 3, 4, 2, 36, tzinfo=UTC)),
        ("2026-03-04T05:06z", datetime(2026, 3, 4, 5, 6, tzinfo=UTC)),
        ("2026-03-04T05z", datetime(2026, 3, 4, 5, tzinfo=UTC)),
        ("2026-12-31T24:00:00Z", datetime(2027, 1, 1, tzinfo=UTC)),
        ("20261231T24", datetime(2027, 1, 1, tzinfo=UTC)),
        ("2026-03-04T05:06:07.0000890Z", TIME),
        ("2026-03-04T05:06:07.0000880001Z", TIME),
        ("2026-03-04T05:06:07.9999999z", datetime(2026, 3, 4, 5, 6, 8, tzinfo=UTC)),
        ("2026-03-04T05:06:07.5-05:30", datetime(2026, 3, 4, 10, 36, 7, 500_000, tzinfo=UTC)),
    ],
)
def test_what_it_means(text: str, expected: datetime) -> None:
    assert parse_iso(text) == expected
    assert parse_iso(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "now", "2026", "2026-03", "2026-064", "2026064", "2026-3-4", "2026-02-30"),
        *("1795690000", "1795690000.5", "2026-03-04Z", "2026-03-04+02:00", "2026-03-04x05:06"),
        *("2026-03-04T", "2026-03-04T25:00", "2026-03-04T24:01", "2026-03-04T05:60"),
        *("2026-03-04T05:06:60Z", "2026-03-04T05:06:07.Z", "2026-03-04T05:06.5Z", "2026-W54"),
        *("2026-03-04T05:06:07 Z", "2026-03-04T05:06:07  02:00", "2026-03-04T05:06:07 2"),
        *("2026-03-04T05:06:07+02:00:30", "2026-03-04T05:06:07+25:00", "٢٠٢٦-03-04", "2026w10"),
        *("0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59.9999999Z", "9999-12-31T24:00Z"),
    ],
)
def test_what_is_refused(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        parse_iso(text)
