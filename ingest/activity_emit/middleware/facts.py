"""Facts that a function of the application tells of every request."""

from collections.abc import Callable, Mapping
from typing import Any

from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import ActivityContext

#: Gets the ASGI scope or the WSGI environ after the application has run. The names are those of
#: `activity.set`; `{"ignore": True}` leaves the request out.
FactsResolver = Callable[[Any], Mapping[str, Any] | None]

_notices = RateLimitedLogger()


def resolve_facts(context: ActivityContext) -> None:
    """Ask the resolvers of a request, the outermost application's first; what a handler told wins.
    What they raise is logged."""
    own: dict[str, Any] = {}
    for resolver, asked in context.resolvers:
        try:
            for name, value in (resolver(asked) or {}).items():
                if value is not None and (value or name != "ignore"):
                    own[name] = _with(own, name, value)
        except Exception as error:  # noqa: BLE001 - a service's own code
            _notices.warn("facts", "activity: no facts: %s", type(error).__name__)
    for name, value in context.facts.items():
        own[name] = _with(own, name, value)
    context.facts = own


def _with(facts: Mapping[str, Any], name: str, value: Any) -> Any:
    before = facts.get(name)
    both = isinstance(before, Mapping) and isinstance(value, Mapping)
    return {**before, **value} if both and isinstance(before, Mapping) else value
