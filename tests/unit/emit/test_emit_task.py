"""`activity.task`: a job, a message or a schedule is one event."""

import asyncio
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from celery import Celery

from activity_emit import Principal, activity
from activity_emit.testing import RecordedEvents, recorded


def test_a_block_is_one_event(recorded_activity: RecordedEvents) -> None:
    with activity.task("reports.build", org_id="acme", execution_id="x1", metadata={"by": "cron"}):
        assert recorded_activity == []
        activity.set(token_usage={"total": 421}, metadata={"pages": 3})
    event = recorded_activity.only()
    assert (event.org_id, event.path, event.method) == ("acme", "reports.build", "WORKER")
    assert (event.action, event.status_code, event.success) == ("execute", 200, True)
    assert (event.execution_id, event.token_usage) == ("x1", {"total": 421})
    assert event.metadata == {"by": "cron", "pages": 3}
    assert 0 <= event.duration_ms < 60_000


class QuotaError(Exception):
    error_code = "QUOTA_EXCEEDED"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ValueError("swordfish"), 500, "ValueError"),
        (QuotaError("swordfish"), 500, "QUOTA_EXCEEDED"),
        (asyncio.CancelledError(), 499, "CANCELLED"),
        (SystemExit(1), 499, "CANCELLED"),
    ],
)
def test_an_exception(
    recorded_activity: RecordedEvents, error: BaseException, status: int, code: str
) -> None:
    with pytest.raises(type(error)), activity.task("t", org_id="acme"):
        raise error
    event = recorded_activity.only()
    assert (event.status_code, event.error_code) == (status, code)
    assert "swordfish" not in event.model_dump_json()
    noted = {"exception": type(error).__name__} if isinstance(error, Exception) else {}
    assert event.metadata == noted


def test_what_the_task_says_itself_wins(recorded_activity: RecordedEvents) -> None:
    with pytest.raises(ValueError, match="x"), activity.task("t", org_id="acme"):
        activity.set(error_code="BAD_INPUT", action="trigger")
        activity.set(principal=Principal(user_id="u1", principal_type="user"))
        raise ValueError("x")
    event = recorded_activity.only()
    assert (event.error_code, event.action, event.user_id) == ("BAD_INPUT", "trigger", "u1")


def test_a_decorated_function(recorded_activity: RecordedEvents) -> None:
    @activity.task(action="create")
    def build(org_id: str, size: int = 1) -> int:
        activity.set(metadata={"size": size})
        return size * 2

    assert build("acme", size=4) == 8
    assert build(org_id="other") == 2
    assert list(inspect.signature(build).parameters) == ["org_id", "size"]
    assert [event.org_id for event in recorded_activity] == ["acme", "other"]
    assert recorded_activity[0].path.endswith("build")
    assert [event.metadata["size"] for event in recorded_activity] == [4, 1]


async def test_runs_at_the_same_time_do_not_mix(recorded_activity: RecordedEvents) -> None:
    @activity.task("t")
    async def run(org_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        activity.set(execution_id=org_id)

    await asyncio.gather(run("o1", 0.02), run("o2", 0.01))
    assert {event.org_id: event.execution_id for event in recorded_activity} == {
        "o1": "o1",
        "o2": "o2",
    }


def test_threads_share_a_decorated_function(recorded_activity: RecordedEvents) -> None:
    @activity.task("t", org_id="acme")
    def run(number: int) -> None:
        activity.set(execution_id=str(number))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(run, range(100)))
    assert sorted(int(event.execution_id or -1) for event in recorded_activity) == list(range(100))


async def test_async_with_and_a_task_inside_of_a_task(recorded_activity: RecordedEvents) -> None:
    async with activity.task("outer", org_id="acme"):
        async with activity.task("inner", org_id="acme"):
            activity.set(execution_id="inner")
        activity.set(execution_id="outer")
    assert [(event.path, event.execution_id) for event in recorded_activity] == [
        ("inner", "inner"),
        ("outer", "outer"),
    ]


def test_without_an_org_it_is_not_recorded_and_can_be_left_out(
    recorded_activity: RecordedEvents, caplog: pytest.LogCaptureFixture
) -> None:
    with activity.task("nobody"):
        pass
    with activity.task("quiet", org_id="acme"):
        activity.ignore()
    assert recorded_activity == []
    assert "task nobody names no org_id" in caplog.text


def test_facts_that_cannot_be_do_not_reach_the_task(recorded_activity: RecordedEvents) -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    facts: dict[str, Any] = {"execution_id": Hostile()}
    with activity.task("t", org_id="acme", **facts):
        pass


def test_celery(recorded_activity: RecordedEvents) -> None:
    app = Celery("service")
    app.conf.task_always_eager = True

    @app.task(bind=True, name="reports.build")  # type: ignore[untyped-decorator]
    @activity.task("reports.build")
    def build(self: Any, org_id: str) -> str:
        activity.set(execution_id=self.request.id)
        if org_id == "bad":
            raise ValueError(org_id)
        return org_id

    assert build.delay("acme").get() == "acme"
    assert build.delay("bad").failed()
    good, bad = recorded_activity
    assert (good.org_id, good.status_code, bad.status_code) == ("acme", 200, 500)
    assert len(good.execution_id or "") == 36


def test_recorded_is_needed_for_none_of_it() -> None:
    with recorded() as events, activity.task("t", org_id="acme"):
        pass
    assert len(events) == 1
