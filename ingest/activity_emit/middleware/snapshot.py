"""What the request's own thread reads off an exchange: plain values, in a few microseconds."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, fields
from inspect import isawaitable
from typing import Any

from activity_emit.event.draft import PRINCIPAL_ERROR, Draft, RequestDraft
from activity_emit.event.fields import EventFields
from activity_emit.event.plain import as_text
from activity_emit.event.trace import SPAN_ID, current_span
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import NO_FACTS
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.host import settle
from activity_emit.middleware.principal import Principal, PrincipalResolver, from_scope
from activity_emit.middleware.types import Scope
from activity_emit.settings import EmitSettings

_notices = RateLimitedLogger()
_NOTHING: EventFields = {}
_NONE: tuple[bytes, ...] = ()
PRINCIPAL_NAMES = tuple(field.name for field in fields(Principal))


@dataclass(slots=True)
class OpenDraft:
    """A draft whose caller is still to be found out, by a `principal=` that is async."""

    draft: RequestDraft
    principal: Awaitable[Any]

    async def settled(self) -> Draft:
        """With the caller. Takes as long as the service's own code; raises only if cancelled."""
        try:
            return tuple(self.draft._replace(principal=as_tuple(await self.principal)))
        except Exception as error:  # noqa: BLE001 - a service's own code
            return self.failed(error)

    def failed(self, error: BaseException) -> Draft:
        """Without: the event says so, and it is counted."""
        name = _failed(error)
        return tuple(self.draft._replace(noted={**self.draft.noted, PRINCIPAL_ERROR: name}))


def capture(
    exchange: Exchange, resolver: PrincipalResolver, settings: EmitSettings
) -> Draft | OpenDraft:
    """A `RequestDraft`'s fields: what the request's own thread has to read off, because it may
    change or be unsafe later. `resolver` is asked who it was, unless the handler has told; what it
    raises is logged and counted, and nobody was it. Does not block."""
    context = exchange.context
    scope = context.routed or exchange.scope
    # What most requests are: a route has answered, and there is nothing else to tell.
    if (
        exchange.ordinary
        and context.facts is NO_FACTS
        and (params := scope.get("path_params"))
        and (status := exchange.status)
        and resolver is from_scope
        and "user" not in scope
        and not scope.get("state")
        and not settings.query_allow
        and current_span() is None
    ):
        for name, _ in scope["headers"]:
            if name == b"traceparent":
                break
        else:
            return (
                exchange.started_at // 1000,
                scope["method"],
                exchange.path,
                exchange.root_path,
                params,
                status,
                (exchange.finished_at - exchange.started) * 1000,
            )
    return _capture(exchange, scope, resolver, settings)


def _capture(  # noqa: PLR0912 - each fact has its own way
    exchange: Exchange, scope: Scope, resolver: PrincipalResolver, settings: EmitSettings
) -> Draft | OpenDraft:
    """Of any request."""
    context = exchange.context
    facts = context.facts
    if context.host is not None:
        settle(context)
    host = context.host
    who: tuple[Any, ...] | None = None
    waiting: Awaitable[Any] | None = None
    failed: str | None = None
    found = None if facts is NO_FACTS else facts.get("principal")
    # The default resolver is not called where there is nothing that it could find.
    told = found is not None or resolver is not from_scope
    if told or scope.get("state") or scope.get("user") or host:
        try:
            if found is None:
                found = resolver(scope)
            if found is not None:
                if type(found) is not Principal and isawaitable(found):
                    waiting = found
                else:
                    who = as_tuple(found)
        except Exception as error:  # noqa: BLE001 - a service's own code
            failed = _failed(error)
    span = context.span or current_span()
    if span is not None:
        traceparents: tuple[bytes, ...] = (span[0],)
    else:
        traceparents = _NONE
        for name, value in scope["headers"]:
            if name == b"traceparent":
                traceparents += (value,)
    params = scope.get("path_params") or (host[0] if host else _NOTHING)
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
    elif (
        facts is NO_FACTS
        and found is failed is None
        and traceparents is _NONE
        and (params or scope.get("root_path", "") == exchange.root_path)
        and not settings.query_allow
    ):
        return seen
    if failed is not None or span is not None:
        noted = {**noted, **_also_noted(failed, span)}
    added = dict(facts)  # at one stroke: a thread may be adding
    added.pop("principal", None)
    draft = (
        *seen,
        error_code,
        noted,
        who,
        added,
        traceparents,
        bytes(scope.get("query_string", b"")[:8192]) if settings.query_allow else b"",
        "" if params else scope.get("root_path") or "",
    )
    return draft if waiting is None else OpenDraft(RequestDraft(*draft), waiting)


def as_tuple(found: Any) -> tuple[Any, ...] | None:
    """A Principal, a mapping or an object with its names, as a RequestDraft has it.

    Raises whatever such an object raises, TypeError for one without any of the names.
    """
    if found is None:
        return None
    if type(found) is not Principal and isinstance(found, Mapping):  # which asks a cache, slowly
        values = [found.get(name) for name in PRINCIPAL_NAMES]
    else:
        values = [getattr(found, name, None) for name in PRINCIPAL_NAMES]
    if found and not isinstance(found, Principal) and not any(values):
        raise TypeError(f"a {type(found).__name__} without the names of a Principal")
    return tuple([value if type(value) is str else as_text(value) for value in values])


def _also_noted(failed: str | None, span: tuple[bytes, str] | None) -> EventFields:
    noted: EventFields = {}
    if failed is not None:
        noted[PRINCIPAL_ERROR] = failed
    if span is not None:
        noted[SPAN_ID] = span[1]
    return noted


def _failed(error: BaseException) -> str:
    name = type(error).__name__
    _notices.warn("principal", "activity: no principal: %s", name)
    return name
