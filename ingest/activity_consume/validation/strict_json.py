"""What a lenient parser takes for JSON, and what two parsers may read in two ways."""

import json
from typing import NoReturn

from activity_consume.errors import ConsumerError


class TwiceError(ConsumerError, ValueError):
    """A name stands twice in one object; the text names it."""


class NoNumberError(ConsumerError, ValueError):
    """NaN or Infinity."""


def check(text: str) -> None:
    """Of JSON that has been parsed before, not too deep. Raises TwiceError or NoNumberError."""
    _decode(text)


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len(dict(pairs)) == len(pairs):
        return
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise TwiceError(f"the name {name!r} stands twice in one object")
        seen.add(name)


def _no_number(text: str) -> NoReturn:
    raise NoNumberError(f"{text} is not JSON")


# What numbers are is not looked at: Python's own refuse to become integers of 5,000 digits.
_decode = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=bool, parse_float=bool, parse_constant=_no_number
).decode
