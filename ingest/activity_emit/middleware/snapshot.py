"""What the request's own thread reads off an exchange: plain values, in a few microseconds."""

from typing import Any

from activity_emit.event.draft import Draft
from activity_emit.event.fields import EventFields, plain
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.principal import Principal, PrincipalResolver, from_scope
from activity_emit.settings import EmitSettings

_notices = RateLimitedLogger()
_NOTHING: EventFields = {}
_NONE: tuple[bytes, ...] = ()


def capture(exchange: Exchange, resolver: PrincipalResolver, settings: EmitSettings) -> Draft:
    """A `RequestDraft`'s fields: what the request's own thread has to read off, because it may
    change or be unsafe later. `resolver` is asked who it was, unless the handler has told; what it
    raises is logged, and nobody was it. Does not block."""
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
