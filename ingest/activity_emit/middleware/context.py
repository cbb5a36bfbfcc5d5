"""What a handler knows about its request and nobody else does."""

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from activity_emit.middleware.types import Scope

log = logging.getLogger("activity.emit")

# In the ASGI scope, where any code that holds the request finds it, and where a second middleware
# further in sees that the request is recorded already.
SCOPE_KEY = "ingest.activity"


class ActivityContext:
    """The facts a handler adds to its request's event, from any thread or task; last one wins."""

    __slots__ = ("facts", "resolvers")

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        #: Who tells more facts, and about what: (resolver, scope or environ).
        self.resolvers: tuple[tuple[Any, Any], ...] = ()

    def set(
        self,
        *,
        execution_id: str | None = None,
        augmentation_id: str | None = None,
        resource_type: str | None = None,
        resource_id: str | None = None,
        stages_completed: int | None = None,
        total_stages: int | None = None,
        token_usage: Mapping[str, int] | None = None,
        metadata: Mapping[str, Any] | None = None,
        action: str | None = None,
        error_code: str | None = None,
        principal: Any = None,
    ) -> None:
        """Add facts. `metadata` and `token_usage` are merged by key, the others replaced.

        EventFields count until the response's last byte; later ones come too late for the event.
        """
        facts = self.facts
        for name, value in (
            ("execution_id", execution_id),
            ("augmentation_id", augmentation_id),
            ("resource_type", resource_type),
            ("resource_id", resource_id),
            ("stages_completed", stages_completed),
            ("total_stages", total_stages),
            ("action", action),
            ("error_code", error_code),
            ("principal", principal),
        ):
            if value is not None:
                facts[name] = value
        # New dictionaries and not `update`: the publisher's thread may be reading the old ones.
        if token_usage is not None:
            facts["token_usage"] = {**facts.get("token_usage", {}), **token_usage}
        if metadata is not None:
            facts["metadata"] = {**facts.get("metadata", {}), **metadata}


# The middleware sets it to the current request's, and resets it.
current: ContextVar[ActivityContext | None] = ContextVar("activity", default=None)


class CurrentActivity(ActivityContext):
    """`activity.set(...)`: the context of the request this code runs for.

    Works in threadpool handlers and in tasks a handler starts (both copy the context). Outside of
    a request nothing happens: code shared with scripts need not ask.
    """

    def set(self, **facts: Any) -> None:
        context = current.get()
        if context is None:
            log.debug("activity.set() outside of a recorded request: ignored")
            return
        context.set(**facts)

    def of(self, scope: Scope) -> ActivityContext:
        """The context of an ASGI scope (`request.scope`), where a ContextVar does not reach."""
        found = scope.get(SCOPE_KEY)
        return found if isinstance(found, ActivityContext) else ActivityContext()
