"""Facts that a function of the application tells of every request."""

from collections.abc import Callable, Mapping
from typing import Any, TypedDict

from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import ActivityContext, Id, add_facts

#: Gets the ASGI scope or the WSGI environ after the application has run. The names are those of
#: `activity.set`; `{"ignore": True}` leaves the request out.
FactsResolver = Callable[[Any], Mapping[str, Any] | None]

_notices = RateLimitedLogger()


class Facts(TypedDict, total=False):
    """What `activity.set` takes, for the type checker: facts that are declared in one place."""

    execution_id: Id | None
    augmentation_id: Id | None
    token_usage: Mapping[str, int] | None
    stages_completed: int | None
    total_stages: int | None
    metadata: Mapping[str, Any] | None
    error_code: str | None
    trace_id: str | None
    resource_type: str | None
    resource_id: Id | None
    workspace_id: Id | None
    app_id: Id | None
    endpoint_id: Id | None
    principal: Any


class RouteFacts(Facts, total=False):
    """Of a route."""

    action: str | None
    org_id: Id | None


class TaskFacts(Facts, total=False):
    """Of a task, which may also name who did it by the event's own fields."""

    user_id: str | None
    principal_type: str | None
    principal_id: str | None
    token_id: str | None
    token_type: str | None


def resolve_facts(context: ActivityContext) -> None:
    """Ask the resolvers of a request, the outermost application's first; what a handler told wins.
    What they raise is logged."""
    resolved = ActivityContext()
    for resolver, asked in context.resolvers:
        try:
            add_facts(resolved, resolver(asked) or {})
        except Exception as error:  # noqa: BLE001 - a service's own code
            _notices.warn("facts", "activity: no facts: %s", type(error).__name__)
    add_facts(resolved, context.facts)
    context.facts = dict(resolved.facts)
