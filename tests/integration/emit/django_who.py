"""A Django service with users, played in this process: prints what was recorded, as JSON.

`python -m tests.integration.emit.django_who`. Django's settings are one per process.
"""

import asyncio
import json
import sys
from collections import deque
from typing import Any
from wsgiref.util import setup_testing_defaults

import django  # type: ignore[import-untyped]
from django.conf import settings  # type: ignore[import-untyped]
from django.http import HttpRequest, HttpResponse  # type: ignore[import-untyped]
from django.urls import path  # type: ignore[import-untyped]

from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware
from tests.unit.emit.harness import Collected, built

AUTH = "django.contrib.auth"
SESSIONS = "django.contrib.sessions"
settings.configure(
    SECRET_KEY="for tests",
    ALLOWED_HOSTS=["*"],
    INSTALLED_APPS=[AUTH, "django.contrib.contenttypes", SESSIONS],
    MIDDLEWARE=[
        f"{SESSIONS}.middleware.SessionMiddleware",
        f"{AUTH}.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "file:who?mode=memory&cache=shared",
        }
    },
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
)
django.setup()

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # type: ignore[import-untyped]  # noqa: E402
from django.contrib.auth.models import User  # type: ignore[import-untyped]  # noqa: E402
from django.contrib.sessions.backends.db import SessionStore  # type: ignore[import-untyped]  # noqa: E402
from django.core.asgi import get_asgi_application  # type: ignore[import-untyped]  # noqa: E402
from django.core.management import call_command  # type: ignore[import-untyped]  # noqa: E402
from django.core.wsgi import get_wsgi_application  # type: ignore[import-untyped]  # noqa: E402
from django.db import connection  # type: ignore[import-untyped]  # noqa: E402

queries: list[str] = []


def count(execute: Any, sql: str, *others: Any) -> Any:
    queries.append(sql)
    return execute(sql, *others)


def looked(request: HttpRequest, **ids: str) -> HttpResponse:
    """Asks who it is, as a view with a log-in does."""
    with connection.execute_wrapper(count):
        return HttpResponse(str(request.user))


def lazy(request: HttpRequest, **ids: str) -> HttpResponse:
    """Asks nothing."""
    return HttpResponse("ok")


async def alooked(request: HttpRequest, **ids: str) -> HttpResponse:
    return HttpResponse(str(await request.auser()))


settings.ROOT_URLCONF = tuple(
    path(f"t/<org_id>/<uuid:workspace_id>/{view.__name__}", view)
    for view in (looked, lazy, alooked)
)
BASE = "/t/acme/0b2f9c1e-7a55-4c0f-9f3e-0c1d2e3f4a5b"


class Wrapped:
    """As WhiteNoise is: an application that holds the next one."""

    def __init__(self, application: Any) -> None:
        self.application = application

    def __call__(self, *arguments: Any) -> Any:
        return self.application(*arguments)


def wsgi(app: Any, target: str, cookie: str) -> None:
    environ: dict[str, Any] = {"PATH_INFO": target, "HTTP_COOKIE": cookie}
    setup_testing_defaults(environ)
    body = app(environ, lambda *_: None)
    list(body)
    body.close()


async def asgi(app: Any, target: str, cookie: str) -> None:
    scope = {
        **{"type": "http", "method": "GET", "path": target, "query_string": b""},
        "headers": [(b"host", b"x"), (b"cookie", cookie.encode())],
    }
    asked = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if not asked.is_set():
            asked.set()
            return {"type": "http.request", "body": b""}
        await asyncio.Event().wait()
        return {}

    async def send(message: Any) -> None:
        del message

    await app(scope, receive, send)


def main() -> None:
    """Each view once, through each way in."""
    keep = connection.cursor()
    call_command("migrate", verbosity=0)
    user = User.objects.create_user("ann", password="swordfish")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    cookie = f"sessionid={session.session_key}"
    found: dict[str, Any] = {}
    for name, make in (
        ("wsgi", get_wsgi_application),
        ("wrapped", lambda: Wrapped(get_wsgi_application())),
    ):
        publisher = Collected()
        app = ActivityWSGIMiddleware(make(), publisher)
        for target, known in (
            ("looked", cookie),
            ("looked", ""),
            ("lazy", cookie),
            ("none", cookie),
        ):
            with connection.execute_wrapper(count):
                queries.clear()
                wsgi(app, f"{BASE}/{target}", known)
                key = f"{name} {target}{'' if known else ' anonymous'}"
            events = built_of(publisher)
            found[key] = {"events": events, "queries": len(queries)}
    publisher = Collected()
    asgi_app = ActivityMiddleware(get_asgi_application(), publisher)
    for target in ("looked", "alooked", "lazy"):
        asyncio.run(asgi(asgi_app, f"{BASE}/{target}", cookie))
        found[f"asgi {target}"] = {"events": built_of(publisher)}
    keep.close()
    json.dump(found, sys.stdout)


def built_of(publisher: Collected) -> list[Any]:
    """The events since the last time."""
    drafts: deque[Any] = deque(publisher.drafts)
    publisher.drafts = []
    return [json.loads(record.value) for record in built(drafts)]


if __name__ == "__main__":
    main()
