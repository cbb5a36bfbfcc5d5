"""A pytest plugin: ActivityMiddleware around every application of the suite that loads it.

`ACTIVITY_SUITE_PLACE`: `outside` wraps what a TestClient is given, `inside` stands between
Starlette's ServerErrorMiddleware and the application's own middleware, `none` changes nothing.
Not imported as a part of `tests`, which here is the suite's name.
"""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import starlette.testclient
from starlette.applications import Starlette
from starlette.middleware import Middleware

from activity_emit import ActivityMiddleware, KafkaPublisher, Principal
from activity_emit.testing import RecordedEvents, recorded

PLACE = os.environ["ACTIVITY_SUITE_PLACE"]
_publisher = KafkaPublisher()
_seen: list[RecordedEvents] = []


def _everybody(scope: Any) -> Principal:
    return Principal(org_id="suite")  # so that each request is an event


def _arguments() -> dict[str, Any]:
    return {"publisher": _publisher, "principal": _everybody}


def _wrap_clients() -> None:
    begin = starlette.testclient.TestClient.__init__

    def init(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:
        if not starlette.testclient._is_asgi3(app):  # type: ignore[attr-defined, unused-ignore]
            app = starlette.testclient._WrapASGI2(app)  # type: ignore[attr-defined, unused-ignore]
        begin(self, ActivityMiddleware(app, **_arguments()), *args, **kwargs)

    starlette.testclient.TestClient.__init__ = init  # type: ignore[method-assign]


def _wrap_applications() -> None:
    build = Starlette.build_middleware_stack

    def with_ours(self: Starlette) -> Any:
        ours: Middleware = Middleware(ActivityMiddleware, **_arguments())
        self.user_middleware.insert(0, ours)
        try:
            return build(self)
        finally:
            self.user_middleware.remove(ours)

    Starlette.build_middleware_stack = with_ours  # type: ignore[method-assign]


if PLACE == "outside":
    _wrap_clients()
elif PLACE == "inside":
    _wrap_applications()


@pytest.fixture(autouse=True, scope="session")
def _recorded() -> Iterator[None]:
    with recorded() as events:
        _seen.append(events)
        yield


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Proof that the middleware was there: how many events it made."""
    for events in _seen:
        made, failed = len(events), events.metrics.failed
        terminalreporter.write_line(f"activity events: {made} made, {failed} failed")
