"""From what a request has handed over to the fields of its event; runs behind the request."""

import random
import re
import urllib.parse
from collections.abc import Mapping

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
from activity_emit.rules import IgnoredReason, first_match, is_kept, without_prefix
from activity_emit.settings import EmitSettings
from activity_schemas.event import Action

_NO_ROUTE = (404, 405)
_ACTIONS = frozenset(Action)
_ORG = re.compile(r"(?i)(org|organi[sz]ation|tenant)s?([-_]?(id|slug|name))?")


def describe(seen: RequestDraft, settings: EmitSettings) -> EventFields | IgnoredReason:
    """The event's fields, not cleaned yet; or why there is none."""
    if seen.added.get("ignore"):
        return IgnoredReason.HANDLER
    below = without_prefix(seen.path, seen.root_path)
    mounted = without_prefix(seen.path, seen.mount)
    rule = first_match(settings.rules, seen.method, seen.path, below, mounted)
    if rule is not None and rule.ignore:
        return IgnoredReason.RULE
    status = seen.status_code
    params = seen.path_params
    place = resolve(below, params, routed=status not in _NO_ROUTE, collections=settings.collections)
    action = seen.added.get("action")
    if action not in _ACTIONS:
        action = rule.action if rule is not None else None
    action = Action(action) if action else action_of(seen.method, place.verb)
    if rule is not None and not is_kept(rule, action, status, random.random()):  # noqa: S311
        return IgnoredReason.SAMPLE
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
    if facts["org_id"] is None and place.ids.get("org_id"):
        return IgnoredReason.STRANGER
    metadata = seen.noted
    if foreign:
        metadata = {**metadata, OTHER_ORG: True}
    elif seen.query_string and (query := allowed_query(seen.query_string, settings.query_allow)):
        metadata = {**metadata, "query": query}
    if metadata:
        facts["metadata"] = {**metadata, **added.get("metadata", {})}
    return facts


def names_org(seen: RequestDraft) -> bool:
    """Whether a request without an org looks as if somebody had meant one."""
    return any(_ORG.fullmatch(name) for name in (*seen.path_params, *seen.path.split("/")))


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
