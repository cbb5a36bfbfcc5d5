"""What the request's own thread reads off an exchange: plain values, in a few microseconds."""

from typing import Any

from activity_emit.event.draft import Draft
from activity_emit.event.fields import EventFields, plain
from activity_emit.event.trace import SPAN_ID, current_span
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.host import settle
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
    context = exchange.context
    facts = context.facts
    if context.host is not None:
        settle(context)
    principal = None
    if facts and isinstance(told := facts.get("principal"), Principal):
        principal = told
    # The default resolver is not called where there is nothing that it could find.
    elif resolver is not from_scope or scope.get("state") or scope.get("user") or context.host:
        try:
            principal = resolver(scope)
        except Exception as error:  # noqa: BLE001 - a service's own code
            _notices.warn("principal", "activity: no principal: %s", type(error).__name__)
    traceparents = _NONE
    for name, value in scope["headers"]:
        if name == b"traceparent":
            traceparents += (value,)
    span = context.span or current_span()
    if span is not None:
        traceparents = (span[0],)
    params = scope.get("path_params") or (context.host[0] if context.host else _NOTHING)
    seen = (
        exchange.started_at // 1000,
        scope.get("method", "GET"),
        exchange.path,
        exchange.root_path,
        params,
        exchange.status,
        (exchange.finished_at - exchange.started) * 1000,
    )
    error_code, noted = None, _NOTHING
    if not (exchange.ordinary and exchange.status):
        status, error_code = exchange.outcome()
        seen, noted = (*seen[:5], status, seen[6]), exchange.noted()
    elif principal is None and not (facts or traceparents or settings.query_allow):
        return seen
    if span is not None:
        noted = {SPAN_ID: span[1], **noted}
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
