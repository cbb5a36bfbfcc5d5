"""From what a request has handed over to the fields of its event; runs behind the request."""

import random
import urllib.parse
from collections.abc import Mapping
from typing import Any

from activity_emit.event import redact
from activity_emit.event.action import action_of
from activity_emit.event.draft import RequestDraft
from activity_emit.event.fields import EventFields
from activity_emit.event.resource import resolve
from activity_emit.event.trace import trace_id
from activity_emit.event.whose import (
    OTHER_ORG,
    added_by_handler,
    is_foreign,
    masked_path,
    who_and_where,
)
from activity_emit.rules import first_match, is_kept
from activity_emit.settings import EmitSettings
from activity_schemas.event import Action

_NO_ROUTE = (404, 405)
_ACTIONS = frozenset(Action)


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}


def describe(seen: RequestDraft, settings: EmitSettings) -> EventFields | None:
    """The event's fields, not cleaned yet; None if a rule leaves the request out."""
    rule = first_match(settings.rules, seen.method, seen.path)
    if rule is not None and rule.ignore:
        return None
    status = seen.status_code
    params = _texts(seen.path_params)
    place = resolve(
        seen.path,
        params,
        routed=status not in _NO_ROUTE,
        root_path=seen.root_path,
        collections=settings.collections,
    )
    action = seen.added.get("action")
    if action not in _ACTIONS:
        action = rule.action if rule is not None else None
    action = Action(action) if action else action_of(seen.method, place.verb)
    if rule is not None and not is_kept(rule, action, status, random.random()):  # noqa: S311
        return None
    added = added_by_handler(place, seen)
    foreign = is_foreign(place, seen)
    path = masked_path(seen, params, settings.collections) if foreign else seen.path
    facts: EventFields = {
        "timestamp_us": seen.timestamp_us,
        "trace_id": trace_id(seen.traceparents),
        "method": seen.method,
        "path": hide_secret_params(path, params),
        "resource_type": place.resource_type,
        "resource_id": None if foreign else place.resource_id,
        "status_code": status,
        "error_code": seen.error_code,
        "duration_ms": round(seen.duration_ms, 3),
        **who_and_where(place, seen, settings),
        **added,
        "action": action.value,
    }
    metadata = seen.noted
    if foreign:
        metadata = {**metadata, OTHER_ORG: True}
    elif seen.query_string and (query := allowed_query(seen.query_string, settings.query_allow)):
        metadata = {**metadata, "query": query}
    if metadata:
        facts["metadata"] = {**metadata, **added.get("metadata", {})}
    return facts


def hide_secret_params(path: str, path_params: Mapping[str, str]) -> str:
    """`/reset/{reset_token}`: the parameter's name tells that its segment is a secret."""
    for name, value in path_params.items():
        secret = value.strip("/")
        if secret and redact.is_secret_key(name):
            # Whole segments only: a secret "a" must not eat every a of the path.
            path = f"{path}/".replace(f"/{secret}/", f"/{redact.REDACTED}/")[:-1]
    return path


def allowed_query(query_string: bytes, allowed: frozenset[str]) -> dict[str, str]:
    """The parameters whose values may be recorded; of one that repeats, the last."""
    pairs = urllib.parse.parse_qsl(query_string.decode("latin-1"))
    return {name: value for name, value in pairs if name in allowed}
