"""Facts that a function of the application tells of every request."""

from collections.abc import Callable, Mapping
from typing import Any

from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import ActivityContext, add_facts

#: Gets the ASGI scope or the WSGI environ after the application has run. The names are those of
#: `activity.set`; `{"ignore": True}` leaves the request out.
FactsResolver = Callable[[Any], Mapping[str, Any] | None]

_notices = RateLimitedLogger()


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
    context.facts = resolved.facts
