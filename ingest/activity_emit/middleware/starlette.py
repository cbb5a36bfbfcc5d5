"""What is to know about Starlette's and FastAPI's applications, without importing either."""

from collections.abc import Awaitable
from typing import Any

from activity_emit.middleware.context import SCOPE_KEY
from activity_emit.middleware.types import Receive, Scope, Send

_MOST_ROUTERS = 1000
_EAR = "_activity_ear"


def watch_router(app: Any) -> None:
    """Let the routers of an application, and of those mounted in it, tell which scope they see.

    A middleware in between may hand on a copy of the scope; then the route's parameters, the user
    and the session are in the copy alone. Other applications stay as they are. Never raises.
    """
    try:
        waiting, seen = [app], set[int]()
        while waiting and len(seen) < _MOST_ROUTERS:
            found = waiting.pop()
            router = getattr(found, "router", found if _is_router(found) else None)
            if router is None:  # a wrapper of ours or of somebody else's
                inner = getattr(found, "app", None)
                waiting += [inner] if inner is not None and id(found) not in seen else []
                seen.add(id(found))
                continue
            if id(router) in seen:
                continue
            seen.add(id(router))
            stack = getattr(router, "middleware_stack", None)
            if callable(stack) and not hasattr(stack, _EAR):
                router.middleware_stack = _listening(stack)
            waiting += [route.app for route in getattr(router, "routes", ()) if _is_mount(route)]
    except Exception:  # noqa: BLE001 - the scope as it is, then
        return


def answers_outside(app: Any, error: BaseException) -> bool:
    """Whether the application has a handler for `error` that runs outside of its middleware."""
    handlers = getattr(app, "exception_handlers", None)
    return (
        isinstance(error, Exception)
        and isinstance(handlers, dict)
        and (500 in handlers or Exception in handlers)
    )


def _is_router(found: Any) -> bool:
    return hasattr(found, "middleware_stack") and hasattr(found, "routes")


def _is_mount(route: Any) -> bool:
    return getattr(route, "app", None) is not None and hasattr(route, "routes")


def _listening(router: Any) -> Any:
    def ear(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if SCOPE_KEY in scope:
            scope[SCOPE_KEY].routed = scope
        return router(scope, receive, send)  # type: ignore[no-any-return]

    setattr(ear, _EAR, True)
    return ear
