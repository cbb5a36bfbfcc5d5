"""Who did it, and where, as the frameworks know it: nothing is configured."""

import asyncio
import json
from collections import deque
from typing import Any

import flask_login  # type: ignore[import-untyped]
import pytest
from flask import Flask
from litestar import Litestar, get
from quart import Quart
from starlette.applications import Starlette
from starlette.authentication import BaseUser, SimpleUser, UnauthenticatedUser
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware
from activity_emit.middleware.principal import of_user
from tests.unit.emit.harness import Collected, built
from tests.unit.emit.test_emit_wsgi import call

PATH = "/t/acme/w1/do"


def events(publisher: Any) -> list[dict[str, Any]]:
    return [json.loads(record.value) for record in built(deque(publisher.drafts))]


async def get_(app: Any, path: str = PATH, **scope: Any) -> None:
    asked: list[bool] = []

    async def receive() -> dict[str, Any]:
        if asked:
            await asyncio.Event().wait()  # the client stays
        asked.append(True)
        return {"type": "http.request", "body": b""}

    async def send(message: Any) -> None:
        del message

    base = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "state": {}}
    more: dict[str, Any] = {
        "query_string": b"",
        "headers": [(b"host", b"x")],
        "scheme": "http",
        "root_path": "",
    }
    more |= {"http_version": "1.1", "server": ("x", 80), "client": ("y", 1), "extensions": {}}
    await app({**base, **more, **scope}, receive, send)


class User(flask_login.UserMixin):  # type: ignore[misc]
    id = "u1"


@pytest.mark.parametrize("asks", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_flask_login(asks: bool, fails: bool) -> None:
    app = Flask("who")
    app.config.update(SECRET_KEY="for tests", PROPAGATE_EXCEPTIONS=fails)
    manager = flask_login.LoginManager(app)
    loads: list[int] = []

    @manager.request_loader  # type: ignore[untyped-decorator]
    def load(request: Any) -> User:
        loads.append(1)
        return User()

    @app.get("/t/<org_id>/<workspace_id>/do")
    def do(org_id: str, workspace_id: str) -> str:
        if asks:
            assert flask_login.current_user.is_authenticated
        if fails:
            raise ValueError("swordfish")
        return "ok"

    publisher = Collected()
    wrapped: Any = ActivityWSGIMiddleware(app.wsgi_app, publisher)
    app.wsgi_app = wrapped  # type: ignore[method-assign]
    client = app.test_client()
    if fails:
        with pytest.raises(ValueError, match="swordfish"):
            client.get(PATH)
    else:
        assert client.get(PATH, buffered=True).status_code == 200
    client.get("/t/acme/none", buffered=True)
    (event,) = events(publisher)
    assert (event["org_id"], event["workspace_id"]) == ("acme", "w1")
    assert (event.get("user_id"), len(loads)) == (("u1", 1) if asks else (None, 0))


async def test_starlettes_user_and_route() -> None:
    async def do(request: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    app = Starlette(routes=[Route("/t/{org_id}/{workspace_id}/do", do)])
    publisher = Collected()
    for user in (SimpleUser("u1"), UnauthenticatedUser()):
        await get_(ActivityMiddleware(app, publisher), user=user)
    await get_(ActivityMiddleware(app, publisher), "/v1/orgs/acme/nothing")
    found = events(publisher)
    assert [event.get("user_id") for event in found] == ["u1", None]
    assert {(event["org_id"], event["workspace_id"]) for event in found} == {("acme", "w1")}


async def test_quart_and_litestar_tell_their_routes() -> None:
    quart = Quart("who")

    @quart.get("/t/<org_id>/<workspace_id>/do")
    async def do(org_id: str, workspace_id: str) -> str:
        return "ok"

    @get("/t/{org_id:str}/{workspace_id:str}/do")
    async def done() -> str:
        return "ok"

    apps: list[Any] = [quart.asgi_app, Litestar([done])]
    for app in apps:
        publisher = Collected()
        await get_(ActivityMiddleware(app, publisher))
        await get_(ActivityMiddleware(app, publisher), "/v1/orgs/acme/nothing")
        (event,) = events(publisher)
        assert (event["org_id"], event["workspace_id"]) == ("acme", "w1")


def test_the_wsgi_twins_keys() -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        environ["wsgiorg.routing_args"] = ((), {"org_id": "acme", "workspace_id": 7})
        start_response("404 Not Found", [("Content-Type", "text/plain")])
        return [b"no"]

    publisher: Any = type("P", (Collected,), {"drafts": deque()})()
    call(app, publisher, PATH_INFO="/t")
    (event,) = events(publisher)
    assert (event["org_id"], event["workspace_id"]) == ("acme", "7")


class Bare(BaseUser):
    """Starlette's own base raises NotImplementedError for what is not overridden."""

    is_authenticated = True
    display_name = "Ann"


class Row:
    """As SQLAlchemy's: an attribute that is not loaded is a query."""

    _sa_instance_state = type("State", (), {"identity": (17,)})()

    def __init__(self, **columns: Any) -> None:
        self.__dict__.update(columns)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # pytest's
            raise AttributeError(name)
        raise AssertionError(f"a query for {name}")


def user(**values: Any) -> Any:
    return type("User", (), values)()


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Bare(), ("Ann", "user", "Ann", None)),
        (Row(), ("17", "user", "17", None)),
        (Row(org_id="o1"), ("17", "user", "17", "o1")),
        (Row(is_active=False), None),
        (user(is_authenticated=True, id=7, org_id="o1"), ("7", "user", "7", "o1")),
        (user(is_authenticated=lambda self: False, id=7), None),
        (user(is_anonymous=True, id=7), None),
        (user(id=7), ("7", "user", "7", None)),
        (user(is_authenticated=True), None),
        (user(principal_type="service", principal_id="s1"), (None, "service", "s1", None)),
        ({"user_id": "u1", "org_id": "o1"}, ("u1", "user", "u1", "o1")),
        ("ann", ("ann", "user", "ann", None)),
        ("", None),
        (None, None),
    ],
)
def test_a_user_of_any_make(found: Any, expected: Any) -> None:
    who = of_user(found)
    assert (who and (who.user_id, who.principal_type, who.principal_id, who.org_id)) == expected
