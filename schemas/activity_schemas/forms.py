"""How an event's values are written: patterns that the JSON Schema shows and the model follows.

No `format` beside them: it says less than the pattern, and generators would go by it.
"""

import re
import sys
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator, JsonValue, WithJsonSchema

_HEX = "[0-9a-fA-F]"
UUID7 = f"^{_HEX}{{8}}-{_HEX}{{4}}-7{_HEX}{{3}}-[89abAB]{_HEX}{{3}}-{_HEX}{{12}}$"

# RFC 3339, each day that there is. No leap second: hardly any language's clock can hold one.
_YEAR = "(20|21)[0-9]{2}"
_LEAP_YEAR = "(20([02468][048]|[13579][26])|21(0[48]|[2468][048]|[13579][26]))"
_DAY = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    f"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME = r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?"
_OFFSET = "([+-]([01][0-9]|2[0-3]):[0-5][0-9])"
TIMESTAMP = f"^{_DAY}[Tt]{_TIME}([Zz]|{_OFFSET})$"
# On the first and the last day an offset leads out of the years.
AT_THE_EDGE = f"^(2000-01-01|2199-12-31).*{_OFFSET}$"

_is_uuid7 = re.compile(UUID7).match
_is_timestamp = re.compile(TIMESTAMP).match
_is_at_the_edge = re.compile(AT_THE_EDGE).match
# DateTime64 reaches from 1900 to 2299; what lies outside these is a broken clock, not history.
_OLDEST, _NEWEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _uuid7(given: Any) -> UUID:
    if isinstance(given, str):
        if _is_uuid7(given) is None or len(given) != 36:
            raise ValueError("not a UUIDv7 of 36 characters")
        return UUID(given)
    if isinstance(given, UUID) and given.version == 7:
        return given
    raise ValueError("not a UUIDv7")


def _timestamp(given: Any) -> datetime:
    if isinstance(given, str):
        # `$` lets a line end pass.
        if _is_timestamp(given) is None or given.endswith("\n"):
            raise ValueError("not a time of RFC 3339 with an offset, of the years 2000 to 2199")
        if _is_at_the_edge(given):
            raise ValueError("on the first and the last day in UTC only, with a Z")
        return datetime.fromisoformat(given.upper())
    if isinstance(given, datetime) and given.tzinfo and _OLDEST <= given < _NEWEST:
        return given
    raise ValueError("not a time with an offset, of the years 2000 to 2199")


def whole(given: Any) -> Any:
    """A number without a fraction as an integer, however it is written: 200.0, 2e2, -0.
    Raises ValueError for true and false, which Python takes for 1 and 0."""
    if isinstance(given, bool):
        raise ValueError("a boolean is no number")
    return int(given) if isinstance(given, float) and given.is_integer() else given


def finite(values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """The same. Raises ValueError for a number that no double can hold."""
    waiting: list[JsonValue] = [values]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, int | float) and not abs(value) <= sys.float_info.max:
            raise ValueError("a number beyond a double's range")
    return values


Uuid7 = Annotated[
    UUID,
    BeforeValidator(_uuid7),
    WithJsonSchema({"type": "string", "pattern": UUID7, "minLength": 36, "maxLength": 36}),
]
Timestamp = Annotated[
    datetime,
    BeforeValidator(_timestamp),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": TIMESTAMP,
            # Where `$` matches before a line end, it is said here.
            "not": {"anyOf": [{"pattern": AT_THE_EDGE}, {"pattern": "\\n"}]},
        }
    ),
]
