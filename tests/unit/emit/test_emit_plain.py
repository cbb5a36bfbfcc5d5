"""Whatever subclass a framework puts where a text or a number stands, the event arrives."""

import enum
import json
from collections import UserDict, deque
from collections.abc import Callable
from decimal import Decimal
from http import HTTPMethod, HTTPStatus
from typing import Any
from uuid import UUID

import numpy
import pytest
from django.utils.functional import lazystr  # type: ignore[import-untyped]
from markupsafe import Markup
from starlette.datastructures import URL
from werkzeug.datastructures import MultiDict

from activity_emit import EmitSettings, KafkaPublisher, activity
from activity_emit.event.draft import Draft, pack, unpack_all
from activity_emit.metrics import PublisherMetrics
from activity_emit.middleware.types import Receive, Scope, Send
from tests.unit.emit.harness import Harness, answering, built

ID = UUID("01a20f72-6044-7176-8eca-7a9d2c90ecdd")


class Text(str):
    """A framework's own."""

    def __str__(self) -> str:
        return "swordfish"


class Org(str, enum.Enum):  # noqa: UP042 - as most services write it
    ONE = "o1"


class Numbered(int):
    """A number with ways of its own."""

    def __int__(self) -> int:
        return 7

    def __str__(self) -> str:
        return "swordfish"


#: Ways from a middleware to the event: in the service's own thread, and through the forwarder.
WAYS: list[Callable[[list[Draft]], list[Draft]]] = [list, lambda drafts: unpack_all(pack(drafts))]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("org", "text"),
    [
        ("o1", "o1"),
        (Text("o1"), "o1"),
        (Markup("o1"), "o1"),
        (Org.ONE, "o1"),
        (lazystr("o1"), "o1"),
        (URL("o1"), "o1"),
        (ID, str(ID)),
        (7, "7"),
        (Numbered(8), "8"),
        (numpy.int64(9), "9"),
        (numpy.str_("o1"), "o1"),
        (HTTPStatus.NOT_FOUND, "404"),
        (Decimal("1.5"), "1.5"),
        (b"o1", "o1"),
    ],
)
async def test_a_routes_parameter(way: Callable[..., Any], org: Any, text: str) -> None:
    harness = Harness(answering(START, END))
    for params in ({"org_id": org}, MultiDict({"org_id": org}), UserDict({"org_id": org})):
        await harness.request("/x", path_params=params)
    await harness.request("/orgs/beside")
    events = events_of(way(harness.publisher.drafts))
    assert [event["org_id"] for event in events] == [text, text, text, "beside"]


START = {"type": "http.response.start", "status": HTTPStatus.OK, "headers": []}
END = {"type": "http.response.body", "body": b"ok"}


def events_of(drafts: list[Draft], settings: EmitSettings | None = None) -> list[dict[str, Any]]:
    counts = PublisherMetrics()
    records = built(deque(drafts), settings, counts=counts)
    events = [json.loads(record.value) for record in records]
    assert counts.failed == 0
    return events


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "status", [HTTPStatus.NOT_FOUND, numpy.int64(404), Numbered(404), 404.0, "404", Decimal(404)]
)
async def test_a_status(way: Callable[..., Any], status: Any) -> None:
    harness = Harness(answering({**START, "status": status}, END))
    await harness.request()
    (event,) = events_of(way(harness.publisher.drafts))
    assert (event["status_code"], event["success"]) == (404, False)


@pytest.mark.parametrize("way", WAYS)
async def test_scope_and_state(way: Callable[..., Any]) -> None:
    harness = Harness(answering(START, END), query_allow={"a"})
    await harness.request(
        Text("/svc/orgs/o1"),
        method=HTTPMethod.POST,
        root_path=Markup("/svc"),
        query_string=bytearray(b"a=1"),
        state={"principal": {"user_id": ID, "principal_type": Org.ONE, "token_id": Numbered(3)}},
    )
    await harness.request(URL("/orgs/o1"), method=Text("GET"))  # type: ignore[arg-type]
    event, other = events_of(way(harness.publisher.drafts), harness.settings)
    assert (event["method"], event["path"], event["org_id"]) == ("POST", "/svc/orgs/o1", "o1")
    assert (event["user_id"], event["principal_type"], event["token_id"]) == (str(ID), "o1", "3")
    assert event["metadata"] == {"query": {"a": "1"}}
    assert (other["method"], other["path"]) == ("GET", "/orgs/o1")


@pytest.mark.parametrize("way", WAYS)
async def test_facts(way: Callable[..., Any]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        activity.set(
            execution_id=ID,
            error_code=Markup("E1"),
            action=Text("execute"),
            stages_completed=numpy.int64(3),  # type: ignore[arg-type]
            total_stages=Numbered(4),
            token_usage=MultiDict([(Text("in"), numpy.int32(5)), ("out", Numbered(6))]),  # type: ignore[list-item]
            metadata=UserDict({Markup("a"): Text("b"), "n": Numbered(1), "l": [Org.ONE]}),
        )
        await answering(START, END)(scope, receive, send)

    harness = Harness(app)
    await harness.request()
    (event,) = events_of(way(harness.publisher.drafts))
    assert (event["execution_id"], event["error_code"]) == (str(ID), "E1")
    assert (event["action"], event["stages_completed"], event["total_stages"]) == ("execute", 3, 4)
    assert event["token_usage"] == {"in": 5, "out": 6}
    assert (event["metadata"]["a"], event["metadata"]["l"]) == ("b", ["o1"])


@pytest.mark.parametrize("way", WAYS)
def test_a_job(way: Callable[..., Any]) -> None:
    taken: list[Draft] = []

    class Keeps(KafkaPublisher):
        def publish(self, draft: Any, stored: Callable[[], None] | None = None) -> bool:
            taken.append(draft)
            return True

    publisher = Keeps()
    publisher.record(
        org_id=Org.ONE, action=Text("execute"), status_code=HTTPStatus.ACCEPTED, execution_id=ID
    )
    (event,) = events_of(way(taken))
    assert (event["org_id"], event["action"], event["status_code"]) == ("o1", "execute", 202)


async def test_a_parameter_that_cannot_be_read_costs_itself_alone() -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("swordfish")

    harness = Harness(answering(START, END))
    await harness.request("/orgs/o1/apps/a1", path_params={"org_id": "o1", "x": Broken()})
    await harness.request("/orgs/o2")
    for way in WAYS:
        events = events_of(way(harness.publisher.drafts))
        assert [event["org_id"] for event in events] == ["o1", "o2"]


async def test_headers_that_can_be_read_once_are_left_to_the_server() -> None:
    pairs = [(b"content-type", b"application/json")]
    harness = Harness(answering({**START, "status": 404, "headers": iter(pairs)}, END))
    await harness.request()
    assert list(harness.sent[0]["headers"]) == pairs
