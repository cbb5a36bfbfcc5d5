"""The fields of one event on their way to its message."""

from collections.abc import Mapping
from typing import Any

from activity_emit.event import redact

#: By the names of `activity_schemas.event.ActivityEvent`, without those that are given when the
#: message is made (`id`, `producer_id`, `seq`), and with `timestamp_us` for `timestamp`.
Facts = dict[str, Any]

_IDS = (
    "org_id",
    "workspace_id",
    "user_id",
    "app_id",
    "endpoint_id",
    "principal_id",
    "token_id",
    "resource_id",
    "execution_id",
    "augmentation_id",
)
_WORDS = (
    "trace_id",
    "principal_type",
    "token_type",
    "method",
    "resource_type",
    "error_code",
)


def plain(facts: Mapping[str, Any]) -> Facts:
    """A handler's facts without its objects: no UUID, no enum, nothing that may change later."""
    values: Facts = {}
    for name, value in facts.items():
        if name == "metadata":
            values[name] = redact.metadata(value)
        elif name == "token_usage":
            values[name] = redact.token_usage(value)
        elif name in ("stages_completed", "total_stages"):
            values[name] = int(value) if isinstance(value, int) else None
        elif name != "principal":
            values[name] = as_text(value)
    return values


def as_text(value: Any) -> str | None:
    """A value as text, None as None."""
    return value if value is None or type(value) is str else str(value)


def clean(facts: Facts) -> Facts | None:
    """Facts that make a valid event, whatever they were; None without an `org_id`.

    Changes `facts`. Absent and unusable values are dropped, never guessed.
    """
    for name in _IDS:
        if name in facts and (value := redact.clean_id(facts.pop(name))) is not None:
            facts[name] = value
    if "org_id" not in facts:
        return None
    for name in _WORDS:
        if (
            name in facts
            and (value := redact.clean_id(facts.pop(name), redact.WORD_LENGTH)) is not None
        ):
            facts[name] = value
    facts.setdefault("method", "UNKNOWN")
    facts["status_code"] = min(max(int(facts["status_code"]), 100), 599)
    facts["duration_ms"] = max(0.0, float(facts["duration_ms"]))
    facts["path"] = redact.clean_text(facts["path"], redact.PATH_LENGTH)
    for name in ("stages_completed", "total_stages"):
        if name in facts and not redact.is_count(facts[name], 65535):
            del facts[name]
    if "token_usage" in facts:
        facts["token_usage"] = redact.token_usage(facts["token_usage"])
    if "metadata" in facts:
        facts["metadata"] = redact.metadata(facts["metadata"])
    return facts
