"""The fields of one event on their way to its record, and what each of them may hold.

There is one list of fields: the model's. How a field is cleaned follows from its type there, so a
new field is cleaned like its kind, and a field of a kind that nobody has thought about stops the
import. Names that the model does not have are left out.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pydantic import BaseModel

from activity_emit.event import redact
from activity_emit.event.jsonable import members
from activity_emit.event.plain import as_counts, as_number, as_text, exact, is_small
from activity_emit.logs import RateLimitedLogger
from activity_schemas.event import ActivityEvent

#: By the names of `activity_schemas.event.ActivityEvent`, without those that are given when the
#: record is made (GIVEN), and with `timestamp_us` (Unix microseconds) for `timestamp`.
EventFields = dict[str, Any]

#: A value that may go out; None: the field is left out. Raises TypeError or ValueError where a
#: required value cannot be read.
Cleaner = Callable[[Any], Any]

GIVEN = frozenset({"schema_version", "id", "timestamp", "producer_id", "seq"})
_notices = RateLimitedLogger()
_SAYS_NOTHING = frozenset({"title", "description", "default", "examples"})
_MOST_COUNTS = 1000  # names of `token_usage` that are read


def cleaners_of(model: type[BaseModel]) -> dict[str, Cleaner]:
    """How each field of an event is cleaned. Raises TypeError for a field that no cleaner fits."""
    schema = model.model_json_schema()
    required = frozenset(schema["required"])
    return {
        name: _cleaner(name, kind, required=name in required)
        for name, kind in _kinds(schema).items()
    }


def _kinds(schema: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Each field's JSON Schema, without "or null", references and words for people."""
    kinds: dict[str, dict[str, Any]] = {}
    for name, found in schema["properties"].items():
        if name in GIVEN:
            continue
        options = [one for one in found.get("anyOf", [found]) if one.get("type") != "null"]
        kind = options[0] if len(options) == 1 else {}
        if "$ref" in kind:
            kind = schema["$defs"][kind["$ref"].rpartition("/")[2]]
        kinds[name] = {word: rule for word, rule in kind.items() if word not in _SAYS_NOTHING}
    return kinds


def _cleaner(name: str, kind: dict[str, Any], *, required: bool) -> Cleaner:
    cleaner: Cleaner | None = None
    # A schema with a word more (a pattern, a format) is another kind: nothing is guessed.
    match kind:
        case {"type": "string", "enum": _, **more} if not more:
            cleaner = redact.clean_word
        # What may not be empty is a name: cut, it would be another thing's.
        case {"type": "string", "minLength": 1, "maxLength": length, **more} if not more:
            cleaner = partial(redact.clean_id, length=length)
        case {"type": "string", "maxLength": length, **more} if not more:
            cleaner = partial(redact.clean_text, length=length)
        case {"type": "integer", "minimum": least, "maximum": most, **more} if not more:
            cleaner = partial(_into_bounds if required else _within_bounds, least, most)
        case {"type": "number", "minimum": 0, "maximum": _, **more} if not more:
            cleaner = _duration
        case {"type": "object", "additionalProperties": {"type": "integer"}}:
            cleaner = redact.token_usage
        case {"type": "object", "additionalProperties": {"$ref": "#/$defs/JsonValue"}}:
            cleaner = redact.metadata
    if cleaner is None:
        raise TypeError(f"no cleaner fits the event's field {name!r}: {kind}")
    return cleaner


def _into_bounds(least: int, most: int, value: Any) -> int:
    return min(max(int(value), least), most)


def _within_bounds(least: int, most: int, value: Any) -> int | None:
    return value if redact.is_count(value, most) and value >= least else None


def _duration(value: Any) -> float:
    return redact.duration(float(value))


_SCHEMA_KINDS = _kinds(ActivityEvent.model_json_schema())
_NESTED = frozenset(name for name, kind in _SCHEMA_KINDS.items() if kind.get("type") == "object")
_NUMBERS = frozenset(
    name for name, kind in _SCHEMA_KINDS.items() if kind.get("type") in ("integer", "number")
)
CLEANERS: Mapping[str, Cleaner] = cleaners_of(ActivityEvent)


def clean(fields: EventFields, cleaners: Mapping[str, Cleaner] = CLEANERS) -> EventFields | None:
    """Fields that make a valid event, whatever they were; None without an `org_id`.

    Absent and unusable values are left out, never guessed. Raises KeyError, TypeError or
    ValueError where there is no time, status, duration, path or action that can be read.
    """
    cleaned: EventFields = {"timestamp_us": fields["timestamp_us"]}
    for name, value in fields.items():
        if value is None:
            continue
        cleaner = cleaners.get(name)
        if cleaner is not None and (good := cleaner(value)) is not None:
            cleaned[name] = good
    # "[redacted]" would be an org that many share.
    if redact.REDACTED in cleaned.get("org_id", redact.REDACTED):
        return None
    cleaned.setdefault("method", "UNKNOWN")
    for name in ("path", "action", "status_code", "duration_ms"):
        if name not in cleaned:
            raise KeyError(name)
    return cleaned


def plain(fields: Mapping[str, Any]) -> EventFields:
    """A handler's fields without its objects: no UUID, no enum, nothing that may change later.

    What cannot be read is left out, and told in a log line. Never raises.
    """
    values: EventFields = {}
    for name, value in fields.items():
        if name == "principal":
            continue
        try:
            values[name] = plain_field(name, value)
        except Exception as error:  # noqa: BLE001 - a service's own objects
            left_out(name, value, error)
    return values


def left_out(name: str, value: Any, error: Exception) -> None:
    """One log line a minute for each field. The types and not the texts, which may quote values."""
    kinds = (type(value).__name__, type(error).__name__)
    _notices.warn(f"field {name}", "activity: %s left out: a %s (%s)", name, *kinds)


def plain_field(name: str, value: Any) -> Any:
    """One field of a handler's, plain. Raises whatever the value raises when it is read, TypeError
    for one of another kind than the field."""
    if value is None:
        return None
    if name == "token_usage":
        found = members(value, _MOST_COUNTS)  # also of a client library's object
        return CLEANERS[name](as_counts(found))
    if name in _NESTED:
        if not isinstance(value, Mapping) and members(value, 1) is None:
            raise TypeError("no mapping")
        return exact(CLEANERS[name](value)) if is_small(value) else {"truncated": True}
    return as_number(value) if name in _NUMBERS else as_text(value)
