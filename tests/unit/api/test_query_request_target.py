"""What passes the door, from servers that tell it in their own ways."""

from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from activity_api.request_target import Application


async def through(**scope: Any) -> tuple[Scope, list[Message]]:
    """What a route sees of a request, and what the server is sent."""
    seen: list[Scope] = []
    sent: list[Message] = []

    async def route(inner: Scope, receive: Receive, send: Send) -> None:
        seen.append(inner)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
        await send({"type": "http.response.body", "body": b"two"})

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    application = Application(openapi_url=None)
    application.mount("/", route)
    outer = {"type": "http", "method": "GET", "path": "/", "headers": [], **scope}
    await application({"query_string": b"", **outer}, receive, send)
    return seen[0], sent


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"raw_path": b"/a%2fb/c", "path": "/a/b/c"}, "/a%2Fb/c"),
        ({"raw_path": b"/%61%7E-._/%2525", "path": "/a~-._/%25"}, "/a~-._/%2525"),
        ({"raw_path": b"/a/../b/./c", "path": "/b/c"}, "/a/../b/./c"),
        ({"raw_path": b"/50%/%zz", "path": "/50%/%zz"}, "/50%25/%25zz"),
        ({"raw_path": b"/%ff", "path": "/\ufffd"}, "/%FF"),
        ({"raw_path": "/é".encode(), "path": "/é"}, "/%C3%A9"),
        ({"raw_path": b"/a?limit=1", "path": "/a"}, "/a"),  # some put the query in it, too
        ({"raw_path": None, "path": "/a b/%"}, "/a%20b/%25"),
        ({"path": "/\udcff"}, "/%FF"),
    ],
)
async def test_the_path_in_one_form(given: dict[str, Any], path: str) -> None:
    scope, _ = await through(**given)
    assert scope["path"] == path


async def test_below_a_root_path() -> None:
    scope, _ = await through(raw_path=b"/a%20b/x%2Fy", path="/a b/x/y", root_path="/a b")
    assert (scope["path"], scope["root_path"]) == ("/a%20b/x%2Fy", "/a%20b")


async def test_a_query_in_ascii() -> None:
    scope, _ = await through(query_string="a=é&b=c d".encode())
    assert scope["query_string"] == b"a=%C3%A9&b=c%20d"


async def test_head_has_no_body() -> None:
    scope, sent = await through(method="HEAD")
    assert scope["method"] == "GET"
    assert sent[1:] == [{"type": "http.response.body", "body": b""}]
    assert len((await through())[1]) == 3
