"""The Python of docs/emit.md runs, and does what the page says of it."""

import io
import json
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from activity_emit import Rule
from activity_emit.testing import RecordedEvents

PAGE = Path(__file__).parents[3] / "docs" / "emit.md"
Check = Callable[[dict[str, Any], RecordedEvents], None]


def blocks() -> list[tuple[str, str]]:
    """(heading above, code) of each Python block."""
    found, heading = [], ""
    for part in re.split(r"^(?=## )", PAGE.read_text("utf-8"), flags=re.MULTILINE):
        heading = part.splitlines()[0].removeprefix("## ")
        found += [
            (heading, code) for code in re.findall(r"^```python\n(.*?)^```", part, re.M | re.S)
        ]
    return found


def fastapi(names: dict[str, Any], events: RecordedEvents) -> None:
    TestClient(names["app"]).post("/orgs/acme/apps/a1/execute")
    event = events.only()
    assert (event.app_id, event.execution_id, event.token_usage) == ("a1", "x1", {"total": 421})


def flask(names: dict[str, Any], events: RecordedEvents) -> None:
    app = names["app"]
    app.add_url_rule("/orgs/<org_id>/apps/<app_id>", view_func=lambda org_id, app_id: app_id)
    app.test_client().get("/orgs/acme/apps/a1")
    assert (events.only().app_id, events.only().status_code) == ("a1", 200)


def django(names: dict[str, Any], events: RecordedEvents) -> None:
    from django.utils.module_loading import import_string  # type: ignore[import-untyped]

    [name] = names["MIDDLEWARE"]
    assert import_string(name)(lambda request: None).sync_capable


def routes(names: dict[str, Any], events: RecordedEvents) -> None:
    client = TestClient(names["app"])
    client.post("/orgs/acme/render")
    client.get("/orgs/acme/poll")
    client.get("/orgs/acme/report")
    render, report = events
    assert (render.action, render.metadata) == ("execute", {"http": "1.1"})
    assert (report.resource_type, report.metadata) == ("report", {"http": "1.1", "kind": "pdf"})


def executors(names: dict[str, Any], events: RecordedEvents) -> None:
    TestClient(names["app"]).post("/orgs/acme/count")
    names["pool"].shutdown()
    assert events.only().token_usage == {"total": 5}


def in_a_test(names: dict[str, Any], events: RecordedEvents) -> None:
    names["test_a_task_is_recorded"]()
    assert events.only().org_id == "acme"


def tasks(names: dict[str, Any], events: RecordedEvents) -> None:
    names["nightly"]()
    assert [(event.path, event.execution_id) for event in events] == [
        ("reports.build", None),
        ("nightly", "run-7"),
    ]


def celery(names: dict[str, Any], events: RecordedEvents) -> None:
    names["app"].conf.task_always_eager = True
    names["build"].delay("acme").get()
    assert (events.only().org_id, len(events.only().execution_id or "")) == ("acme", 36)


def measured_elsewhere(names: dict[str, Any], events: RecordedEvents) -> None:
    assert (events.only().duration_ms, events.only().execution_id) == (1250.0, "x1")


def numbers(names: dict[str, Any], events: RecordedEvents) -> None:
    assert "# TYPE activity_emit_published_events_total counter\n" in names["page"]


def prometheus_client(names: dict[str, Any], events: RecordedEvents) -> None:
    from prometheus_client import REGISTRY, generate_latest

    page = generate_latest(REGISTRY).decode()
    for collector in list(REGISTRY._collector_to_names):
        if type(collector) is names["ActivityCollector"]:
            REGISTRY.unregister(collector)
    assert re.search(r"^activity_emit_published_events_total \d", page, re.MULTILINE)
    assert re.search(r"^activity_emit_queued_events \d", page, re.MULTILINE)


def structlog(names: dict[str, Any], events: RecordedEvents) -> None:
    output = io.StringIO()
    names["handler"].setStream(output)
    log = logging.getLogger("activity.emit")
    log.warning("activity events wait for %s", "Kafka")
    log.removeHandler(names["handler"])
    assert json.loads(output.getvalue())["event"] == "activity events wait for Kafka"


def opentelemetry(names: dict[str, Any], events: RecordedEvents) -> None:
    from opentelemetry.sdk.trace import TracerProvider

    from activity_emit import activity

    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("work") as span, activity.task("t", org_id="acme"):
        names["link"]("x1")
    assert span.attributes["activity.execution_id"] == "x1"  # type: ignore[attr-defined]
    assert events.only().trace_id == f"{span.get_span_context().trace_id:032x}"
    assert events.only().metadata == {"span_id": f"{span.get_span_context().span_id:016x}"}


def settings(names: dict[str, Any], events: RecordedEvents) -> None:
    assert names["settings"].rules[-1] == Rule(path="^/internal/", ignore=True)


#: In the page's order.
CHECKS: list[tuple[str, Check]] = [
    ("FastAPI and Starlette", fastapi),
    ("Flask", flask),
    ("Django", django),
    ("Facts of a route, of an application, from threads", routes),
    ("Facts of a route, of an application, from threads", executors),
    ("Test your service", in_a_test),
    ("Tasks and workers", tasks),
    ("Tasks and workers", celery),
    ("Tasks and workers", measured_elsewhere),
    ("Metrics", numbers),
    ("Metrics", prometheus_client),
    ("structlog and OpenTelemetry", structlog),
    ("structlog and OpenTelemetry", opentelemetry),
    ("Settings", settings),
]


def test_each_block_has_a_check() -> None:
    assert [heading for heading, _ in blocks()] == [heading for heading, _ in CHECKS]


@pytest.mark.parametrize("number", range(len(CHECKS)), ids=[one.__name__ for _, one in CHECKS])
def test_a_block(number: int, recorded_activity: RecordedEvents) -> None:
    heading, code = blocks()[number]
    names: dict[str, Any] = {"__name__": f"docs_{number}"}
    exec(compile(code, f"docs/emit.md: {heading}", "exec"), names)  # noqa: S102 - our own page
    CHECKS[number][1](names, recorded_activity)
