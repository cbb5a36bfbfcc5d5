"""From one exchange to the facts of one event, in two steps.

`snapshot` runs in the request: what is known then, as plain values, in a few microseconds.
`describe` does the rest behind it, in the publisher.
"""

import random
import urllib.parse
from collections.abc import Mapping
from typing import Any

from activity_emit.event import redact
from activity_emit.event.action import action_of
from activity_emit.event.draft import Draft, Snapshot, text
from activity_emit.event.resource import Place, locate
from activity_emit.event.trace import trace_id
from activity_emit.logs import Notices
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.principal import Principal, PrincipalResolver, from_scope
from activity_emit.middleware.types import Facts
from activity_emit.rules import first_match, is_kept
from activity_emit.settings import EmitSettings
from activity_schemas.event import Action

_notices = Notices()
_NOTHING: Facts = {}
_NONE: tuple[bytes, ...] = ()
_NO_ROUTE = (404, 405)
_ACTIONS = frozenset(Action)


def snapshot(exchange: Exchange, resolver: PrincipalResolver, settings: EmitSettings) -> Draft:
    """A `Snapshot`'s fields: what the request's own thread has to read off, because it may change
    or be unsafe later. `resolver` is asked who it was, unless the handler has told."""
    scope = exchange.scope
    facts = exchange.context.facts
    principal = None
    if facts and isinstance(told := facts.get("principal"), Principal):
        principal = told
    # The default resolver is not called where there is nothing that it could find.
    elif resolver is not from_scope or scope.get("state") or scope.get("user"):
        try:
            principal = resolver(scope)
        except Exception as error:  # noqa: BLE001 - a service's own code
            _notices.warn("principal", "activity: no principal: %s", type(error).__name__)
    traceparents = _NONE
    for name, value in scope["headers"]:
        if name == b"traceparent":
            traceparents += (value,)
    seen = (
        exchange.started_at // 1000,
        scope.get("method", "GET"),
        exchange.path,
        exchange.root_path,
        scope.get("path_params") or _NOTHING,
        exchange.status,
        (exchange.finished_at - exchange.started) * 1000,
    )
    error_code, noted = None, _NOTHING
    if not (exchange.ordinary and exchange.status):
        status, error_code = exchange.outcome()
        seen, noted = (*seen[:5], status, seen[6]), exchange.noted()
    elif principal is None and not (facts or traceparents or settings.query_allow):
        return seen
    return (
        *seen,
        error_code,
        noted,
        None if principal is None else as_tuple(principal),
        plain(facts) if facts else _NOTHING,
        traceparents,
        scope.get("query_string", b"")[:8192] if settings.query_allow else b"",
    )


def as_tuple(principal: Principal) -> tuple[Any, ...]:
    """`dataclasses.astuple` copies deeply, for 5 µs."""
    return (
        principal.user_id,
        principal.principal_type,
        principal.principal_id,
        principal.token_id,
        principal.token_type,
        principal.org_id,
    )


def _texts(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in params.items()}


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
            values[name] = text(value)
    return values


def describe(seen: Snapshot, settings: EmitSettings) -> Facts | None:
    """The event's facts; None if a rule says so."""
    rule = first_match(settings.rules, seen.method, seen.path)
    if rule is not None and rule.ignore:
        return None
    status = seen.status_code
    params = _texts(seen.path_params)
    place = locate(
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
    facts: Facts = {
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


def _who_and_where(place: Place, principal: tuple[Any, ...] | None) -> Facts:
    ids = place.ids
    if principal is None:
        # `/users/u1` is who was looked at. Nobody is known to have done it.
        return {name: value for name, value in ids.items() if name not in ("user_id", "token_id")}
    user_id, principal_type, principal_id, token_id, token_type, own_org = map(text, principal)
    facts: Facts = {
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
