"""What a handler knows about its request and nobody else does."""

import logging
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from functools import wraps
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Never
from uuid import UUID

from activity_emit.event.fields import left_out, plain_field
from activity_emit.middleware.types import Scope

log = logging.getLogger("activity.emit")

# In the ASGI scope, where any code that holds the request finds it, and where a second middleware
# further in sees that the request is recorded already.
SCOPE_KEY = "ingest.activity"


NO_FACTS: Mapping[str, Any] = MappingProxyType({})

Id = str | int | UUID


class ActivityContext:
    """The facts a handler adds to its request's event, from any thread or task; last one wins."""

    __slots__ = ("facts", "host", "resolvers", "routed", "span")

    def __init__(self) -> None:
        # Most requests add nothing, and pay for nothing: who tells anything makes a dictionary.
        self.facts: Mapping[str, Any] = NO_FACTS
        #: The scope that the router has seen: with the route's parameters, also where a middleware
        #: in between has copied it.
        self.routed: Scope | None = None
        self.host: Any = None  # see activity_emit.middleware.host
        self.span: tuple[bytes, str] | None = None  # see activity_emit.event.trace
        #: Who tells more facts, and about what: (resolver, scope or environ).
        self.resolvers: tuple[tuple[Any, Any], ...] = ()

    # `Never`: the type checker refuses other names. At run time they must not cost a request.
    def set(
        self,
        /,
        *unnamed: Never,
        execution_id: Id | None = None,
        augmentation_id: Id | None = None,
        token_usage: Mapping[str, int] | None = None,
        stages_completed: int | None = None,
        total_stages: int | None = None,
        metadata: Mapping[str, Any] | None = None,
        action: str | None = None,
        error_code: str | None = None,
        trace_id: str | None = None,
        resource_type: str | None = None,
        resource_id: Id | None = None,
        org_id: Id | None = None,
        workspace_id: Id | None = None,
        app_id: Id | None = None,
        endpoint_id: Id | None = None,
        principal: Any = None,
        **unknown: Never,
    ) -> None:
        """Add facts. `metadata` and `token_usage` are merged by key, the others replaced.

        Never raises: what cannot be used is left out, and told in one log line. Facts count until
        the response's last byte; later ones come too late for the event.
        """
        if unnamed or unknown:
            _wrong_names(unknown)
        for name, value in (
            ("execution_id", execution_id),
            ("augmentation_id", augmentation_id),
            ("token_usage", token_usage),
            ("stages_completed", stages_completed),
            ("total_stages", total_stages),
            ("metadata", metadata),
            ("action", action),
            ("error_code", error_code),
            ("trace_id", trace_id),
            ("resource_type", resource_type),
            ("resource_id", resource_id),
            ("org_id", org_id),
            ("workspace_id", workspace_id),
            ("app_id", app_id),
            ("endpoint_id", endpoint_id),
            ("principal", principal),
        ):
            if value is not None:
                self._add(name, value)

    def _add(self, name: str, value: Any) -> None:
        try:
            made = value if name in _AS_THEY_ARE else plain_field(name, value)
            if name in _MERGED and made is not None:
                # A new dictionary and not `update`: another thread may be reading the old one.
                made = {**self.facts.get(name, {}), **made}
        except Exception as error:  # noqa: BLE001 - a service's own objects
            left_out(name, value, error)
            return
        if made is None:
            left_out(name, value, ValueError())
            return
        with _lock:
            if self.facts is NO_FACTS:
                self.facts = {}
            self.facts[name] = made  # type: ignore[index]

    def tell_host(self, host: Any) -> None:
        """See activity_emit.middleware.host."""
        with _lock:
            self.host = host
            if self.facts is NO_FACTS:
                self.facts = {}


def add_facts(context: ActivityContext, facts: Mapping[str, Any]) -> None:
    """Facts by the names of `set`, and `ignore`. Raises whatever `facts` raises, if it is no
    mapping of names."""
    others = dict(facts)
    if others.pop("ignore", False):
        context._add("ignore", True)
    context.set(**others)


_lock = threading.Lock()
_AS_THEY_ARE = frozenset({"principal", "ignore"})
_MERGED = frozenset({"token_usage", "metadata"})
_MOST_NAMES = 100
_told: set[str] = set()


def _wrong_names(unknown: Mapping[str, object]) -> None:
    """One log line for each mistake in the code, and not for each request that runs into it."""
    names = (", ".join(sorted(unknown)) or "an argument without a name")[:200]
    if names not in _told and len(_told) < _MOST_NAMES:
        _told.add(names)
        log.warning("activity.set() does not know %s: left out", names)


# The middleware sets it to the current request's, and resets it.
current: ContextVar[ActivityContext | None] = ContextVar("activity", default=None)


class CurrentActivity(ActivityContext):
    """`activity.set(...)`: the context of the request this code runs for.

    Works in threadpool handlers and in tasks a handler starts (both copy the context). Outside of
    a request nothing happens: code shared with scripts need not ask.
    """

    if not TYPE_CHECKING:  # the arguments are those of `ActivityContext.set`

        @wraps(ActivityContext.set)
        def set(self, /, *unnamed, **facts):
            context = current.get()
            if context is None:
                log.debug("activity.set() outside of a recorded request: ignored")
            else:
                context.set(*unnamed, **facts)

    def of(self, scope: Scope) -> ActivityContext:
        """The context of an ASGI scope (`request.scope`), where a ContextVar does not reach."""
        found = scope.get(SCOPE_KEY) if isinstance(scope, Mapping) else None
        return found if isinstance(found, ActivityContext) else ActivityContext()
