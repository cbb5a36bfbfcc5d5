"""What Django, Flask and Quart know about a request and keep for themselves: route and user.

They tell it neither in the ASGI scope nor in the WSGI environ. Django is asked by way of its
handler's `request_class`, Flask and Quart by their signals. Whatever is not there is not found;
nothing of this imports a framework, runs a query or raises.
"""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from activity_emit.middleware.context import SCOPE_KEY, ActivityContext, current

#: The route's parameters, and the user or None.
Host = tuple[Mapping[str, Any], Any]

_INSIDE = ("application", "app", "wsgi_app", "asgi_app", "application_mapping")
_NOTHING: Mapping[str, Any] = {}


def watch(app: Any) -> None:
    """Have the framework of this application tell what it knows."""
    with contextlib.suppress(Exception):
        base = sys.modules.get("django.core.handlers.base")
        if base is not None:
            for inner in _inside(app):
                if isinstance(inner, base.BaseHandler):
                    _watch_django(inner)
    with contextlib.suppress(Exception):
        for name, receiver in (("flask", _of_flask), ("quart", _of_quart)):
            framework = sys.modules.get(name)
            if framework is not None:
                framework.request_finished.connect(receiver)
                framework.got_request_exception.connect(receiver)


def settle(context: ActivityContext) -> None:
    """Read what was told off the framework's objects, and let these go: they hold the context."""
    told = context.host
    context.host = None
    with contextlib.suppress(Exception):
        context.host = told if type(told) is tuple else _of_django(told)


def _inside(app: Any) -> Iterator[Any]:
    """The application and those it wraps, as far as usual names tell."""
    waiting, left = [app], 64
    while waiting and left:
        found = waiting.pop()
        left -= 1
        yield found
        if isinstance(found, Mapping):
            waiting.extend(found.values())
            continue
        held = getattr(found, "__dict__", _NOTHING)
        waiting.extend(held[name] for name in _INSIDE if name in held)


def _watch_django(handler: Any) -> None:
    made = handler.request_class
    if not isinstance(made, _Remembering):
        handler.request_class = _Remembering(made)


class _Remembering:
    """In place of Django's class of requests: makes one, and tells the event's context of it."""

    def __init__(self, made: Callable[..., Any]) -> None:
        self._made = made

    def __call__(self, carrier: Mapping[str, Any], *others: Any) -> Any:
        request = self._made(carrier, *others)
        _tell(carrier, request)
        return request

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)


def _of_django(request: Any) -> Host:
    held = vars(request)
    # `request.user` is lazy; `auser()` and Django REST framework leave what they have found.
    user = held.get("user")
    django: Any = sys.modules["django.utils.functional"]
    if user is not None and issubclass(type(user), django.LazyObject):
        wrapped = object.__getattribute__(user, "__dict__").get("_wrapped", django.empty)
        nobody = wrapped is None or wrapped is django.empty
        if nobody or issubclass(type(wrapped), django.LazyObject):
            user = held.get("_cached_user", held.get("_acached_user"))
    match = held.get("resolver_match")
    return (_NOTHING if match is None else dict(match.kwargs), user)


def _of_flask(sender: Any, **_: Any) -> None:
    with contextlib.suppress(Exception):
        flask: Any = sys.modules["flask"]
        request = flask.request
        # Flask-Login's, if something has asked for `current_user`.
        _tell(request.environ, (dict(request.view_args or ()), flask.g.get("_login_user")))


async def _of_quart(sender: Any, **_: Any) -> None:
    with contextlib.suppress(Exception):
        quart: Any = sys.modules["quart"]
        request = quart.request
        _tell(request.scope, (dict(request.view_args or ()), quart.g.get("_login_user")))


def _tell(carrier: Mapping[str, Any], found: Any) -> None:
    context = carrier.get(SCOPE_KEY) or current.get()
    if isinstance(context, ActivityContext):
        context.tell_host(found)
