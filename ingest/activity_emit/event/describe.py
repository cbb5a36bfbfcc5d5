"""From what a request has handed over to the fields of its event; runs behind the request."""

import random
import urllib.parse
from collections.abc import Mapping
from typing import Any

from activity_emit.event import redact
from activity_emit.event.action import action_of
from activity_emit.event.draft import RequestDraft
from activity_emit.event.fields import EventFields, as_text
from activity_emit.event.resource import ResourcePath, resolve
from activity_emit.event.trace import trace_id
from activity_emit.rules import first_match, is_kept
from activity_emit.settings import EmitSettings
from activity_schemas.event import Action

_NO_ROUTE = (404, 405)
_ACTIONS = frozenset(Action)


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}


def describe(seen: RequestDraft, settings: EmitSettings) -> EventFields | None:
    """The event's fields, not cleaned yet; None if a rule leaves the request out."""
    if seen.added.get("ignore"):  # the route's own word
        return None
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
    facts: EventFields = {
        "timestamp_us": seen.timestamp_us,
        "trace_id": trace_id(seen.traceparents),
        "method": seen.method,
        "path": hide_secret_params(seen.path, params),
        "resource_type": place.resource_type,
        "resource_id": place.resource_id,
        "status_code": status,
        "error_code": seen.error_code,
        "duration_ms": round(seen.duration_ms, 3),
        **_who_and_where(place, seen.principal),
        **seen.added,
        "action": action.value,
    }
    metadata = seen.noted
    if seen.query_string and (query := allowed_query(seen.query_string, settings.query_allow)):
        metadata = {**metadata, "query": query}
    if metadata:
        facts["metadata"] = {**metadata, **seen.added.get("metadata", {})}
    return facts


def _who_and_where(place: ResourcePath, principal: tuple[Any, ...] | None) -> EventFields:
    ids = place.ids
    if principal is None:
        # `/users/u1` is who was looked at. Nobody is known to have done it.
        return {name: value for name, value in ids.items() if name not in ("user_id", "token_id")}
    user_id, principal_type, principal_id, token_id, token_type, own_org = map(as_text, principal)
    facts: EventFields = {
        "user_id": user_id,
        "principal_type": principal_type,
        "principal_id": principal_id,
        "token_id": token_id,
        "token_type": token_type,
    }
    org_id = ids.get("org_id")
    if own_org and org_id and own_org != org_id:
        # Knocking at another org's door is the caller's history, not a way to write into theirs.
        return {**facts, "org_id": own_org}
    return {**ids, **facts, "org_id": org_id or own_org}


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
