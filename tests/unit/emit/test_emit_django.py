"""Django's middleware under Django's own test clients, sync and async."""

from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings  # type: ignore[import-untyped]
from django.http import (  # type: ignore[import-untyped]
    HttpRequest,
    JsonResponse,
    StreamingHttpResponse,
)
from django.test import AsyncClient, Client, override_settings  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]
from django.utils.functional import SimpleLazyObject  # type: ignore[import-untyped]

from activity_emit import activity
from activity_emit.testing import RecordedEvents

OURS = "activity_emit.django.ActivityMiddleware"
loaded: list[int] = []


def execute(request: HttpRequest, org_id: str, app_id: str) -> JsonResponse:
    activity.set(execution_id="x1")
    return JsonResponse({"ok": "yes"})


@activity.ignore
def quiet(request: HttpRequest, org_id: str) -> JsonResponse:
    return JsonResponse({})


async def asynchronous(request: HttpRequest, org_id: str) -> JsonResponse:
    activity.set(execution_id="x2")
    return JsonResponse({"error": "TOO_EARLY"}, status=425)


def stream(request: HttpRequest, org_id: str) -> StreamingHttpResponse:
    if request.META["REQUEST_METHOD"] == "POST":
        return StreamingHttpResponse(_chunks())
    return StreamingHttpResponse(iter([b"one", b"two"]))


async def _chunks() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"three"


def boom(request: HttpRequest, org_id: str) -> JsonResponse:
    raise ValueError("swordfish")


def who(request: HttpRequest, org_id: str) -> JsonResponse:
    return JsonResponse({"id": request.user.id})


def _load() -> Any:
    loaded.append(1)
    return SimpleNamespace(is_authenticated=True, id=7)


def with_user(get_response: Any) -> Any:
    """As django.contrib.auth does it, without a database."""

    def middleware(request: HttpRequest) -> Any:
        request.user = SimpleLazyObject(_load)
        return get_response(request)

    return middleware


urlpatterns = [
    path("orgs/<org_id>/apps/<app_id>/execute", execute),
    path("orgs/<org_id>/quiet", quiet),
    path("orgs/<org_id>/async", asynchronous),
    path("orgs/<org_id>/stream", stream),
    path("orgs/<org_id>/boom", boom),
    path("orgs/<org_id>/who", who),
]

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="for tests")


@pytest.fixture
def client() -> Any:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[OURS, f"{__name__}.with_user"]):
        yield Client(raise_request_exception=False)


def test_the_sync_client(client: Client, recorded_activity: RecordedEvents) -> None:
    client.post("/orgs/o1/apps/a1/execute")
    client.get("/orgs/o1/quiet")
    client.get("/orgs/o1/boom")
    client.get("/orgs/o1/async")
    executed, boomed, asynchronously = recorded_activity
    assert (executed.org_id, executed.app_id, executed.action) == ("o1", "a1", "execute")
    assert (executed.execution_id, executed.status_code) == ("x1", 200)
    assert (boomed.status_code, boomed.error_code) == (500, "INTERNAL_SERVER_ERROR")
    assert boomed.metadata == {"exception": "ValueError"}
    assert (asynchronously.error_code, asynchronously.execution_id) == ("TOO_EARLY", "x2")


async def test_the_async_client(recorded_activity: RecordedEvents) -> None:
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[OURS]):
        client = AsyncClient(raise_request_exception=False)
        await client.get("/orgs/o1/async")
        await client.post("/orgs/o1/apps/a1/execute")
        answer = await client.post("/orgs/o1/stream")
        assert len(recorded_activity) == 2
        assert [chunk async for chunk in answer.streaming_content] == [b"one", b"three"]
        await client.get("/orgs/o1/boom")
    assert [event.status_code for event in recorded_activity] == [425, 200, 200, 500]
    assert recorded_activity[2].metadata["response_bytes"] == 8


def test_a_stream_ends_when_it_is_read(client: Client, recorded_activity: RecordedEvents) -> None:
    answer = client.get("/orgs/o1/stream")
    assert recorded_activity == []
    assert b"".join(answer.streaming_content) == b"onetwo"
    assert recorded_activity.only().metadata["response_bytes"] == 6


def test_the_user_is_told_and_never_loaded_for_us(
    client: Client, recorded_activity: RecordedEvents
) -> None:
    loaded.clear()
    client.post("/orgs/o1/apps/a1/execute")
    assert loaded == []
    client.get("/orgs/o1/who")
    assert [event.user_id for event in recorded_activity] == [None, "7"]
    assert loaded == [1]
