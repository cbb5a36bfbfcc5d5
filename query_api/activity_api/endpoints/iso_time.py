"""A point in time as people write it: ISO 8601, with what a URL does to it."""

import re
from datetime import UTC, datetime, timedelta

# Extended and basic, calendar and week dates, `T` or a blank. A blank where the offset begins was a
# `+` that nobody escaped. Ordinal dates are left out: a calendar date that lacks a digit is one.
_FORM = re.compile(
    r"(?P<date>\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?)"
    r"([Tt ](?P<hour>\d\d)(?P<rest>:?\d\d(:?\d\d([.,](?P<fraction>\d+))?)?)?"
    r"(?P<offset>[Zz]|[-+ ]\d\d(:?\d\d)?)?)?",
    re.ASCII,
)
_MICROSECOND = timedelta(microseconds=1)


def parse_iso(text: str) -> datetime:
    """Aware, UTC. A date alone is its midnight, and what has no offset is UTC. Finer than
    microseconds is rounded up: of events, which have microseconds, it bounds the same. Raises
    ValueError, OverflowError."""
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise ValueError("not a form of ISO 8601 that is read here")
    hour, rest = form["hour"] or "00", form["rest"] or ""
    more = timedelta(0)
    if form["fraction"] and form["fraction"][6:].strip("0"):
        more = _MICROSECOND
    if hour == "24" and not rest.strip("0:.,"):
        hour, more = "00", timedelta(days=1)
    offset = (form["offset"] or "Z").upper().replace(" ", "+")
    return datetime.fromisoformat(f"{form['date']}T{hour}{rest}{offset}").astimezone(UTC) + more
