"""The one form of an id and of a time, checked for many at once: a tenth of what a pattern takes.

All texts of a list have one length, so a character's place in all of them is one slice. A list may
be refused for a text that is right by itself (a time without fractions): then each is looked at
alone. What passes here passes there (tests/unit/consume/test_consume_formats.py).
"""

from collections.abc import Sequence

_HEX = b"0123456789abcdef"
_DIGITS = b"0123456789"


def are_uuid7(ids: Sequence[str]) -> bool:
    """Each is a UUIDv7: 36 characters, lower case, with hyphens. At least one."""
    lines = _lines(ids, 36)
    if lines is None:
        return False
    hyphens = b"-" * len(ids)
    return (
        all(lines[place::37] == hyphens for place in (8, 13, 18, 23))
        and lines[14::37] == b"7" * len(ids)
        and not lines[19::37].strip(b"89ab")
        # Hyphens and line ends are where they should be, so nothing else is left.
        and len(lines.translate(None, _HEX)) == 5 * len(ids)
    )


def are_utc(times: Sequence[str]) -> bool:
    """Each is as `2026-07-01T12:00:00.000000Z`, of this century or the next. At least one.
    Whether there is such a day and hour is not looked at."""
    lines = _lines(times, 27)
    if lines is None:
        return False
    marks = ((4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":"), (19, b"."), (26, b"Z"))
    return (
        all(lines[place::28] == mark * len(times) for place, mark in marks)
        and lines[::28] == b"2" * len(times)
        and not lines[1::28].strip(b"01")
        and len(lines.translate(None, _DIGITS)) == 8 * len(times)
    )


def _lines(texts: Sequence[str], length: int) -> bytes | None:
    """One a line, each with a line end; None where one is longer, shorter, or not ASCII."""
    lines = ("\n".join(texts) + "\n").encode("utf-8", "replace")
    ends = lines[length :: length + 1]
    return lines if len(lines) == len(texts) * (length + 1) and ends == b"\n" * len(texts) else None
