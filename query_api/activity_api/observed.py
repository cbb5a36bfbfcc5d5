"""Every request is counted, timed, given an id, and written into the access log."""

import logging
import re
from time import perf_counter
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activity_api.metrics import NO_ROUTE, ApiMetrics
from activity_telemetry.context import bound, trace_id_of
from activity_telemetry.traces import traces

log = logging.getLogger("activity_api.access")

REQUEST_ID = b"x-request-id"
# One that a client may choose; any other is replaced, and never written anywhere.
_GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_QUIET = ("/healthz", "/readyz", "/metrics")


class ObservedRequests:
    """ASGI middleware, innermost but for the routes: it learns which one it was."""

    def __init__(self, app: ASGIApp, metrics: ApiMetrics, access_log: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        given = headers.get(REQUEST_ID, b"")
        request_id = given if _GOOD_ID.fullmatch(given) else uuid4().hex.encode()
        began, status = perf_counter(), 500

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                if request_id is given:  # whoever has no ids of its own has no use for ours
                    more = (REQUEST_ID, request_id)
                    message = {**message, "headers": [*message.get("headers", ()), more]}
            await send(message)

        self._metrics.began()
        parent = headers.get(b"traceparent", b"")
        with bound(request_id.decode(), trace_id_of(parent)), traces.of_request(parent) as tell:
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.exception("a fault of ours: %s %s", scope["method"], scope["path"])
                raise
            finally:
                seconds = perf_counter() - began
                route = getattr(scope.get("route"), "path", NO_ROUTE)
                self._metrics.ended(route, status, seconds)
                tell(route, status)
                if self._access_log and scope["path"] not in _QUIET:
                    self._say(scope, route, status, seconds)

    def _say(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        # Without the query: what is searched for is the caller's.
        log.info(
            "%s %s %d %.1f ms",
            *(scope["method"], scope["path"], status, seconds * 1000),
            extra={
                "facts": {
                    "method": scope["method"],
                    "path": scope["path"],
                    "route": route,
                    "status": status,
                    "duration_ms": round(seconds * 1000, 1),
                    "client": (scope.get("client") or ("",))[0],
                }
            },
        )
