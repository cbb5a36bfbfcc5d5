"""The WSGI twin, for Flask and Django: the same settings, the same events."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from activity_emit.event.draft import LOST, Draft
from activity_emit.event.plain import as_status
from activity_emit.event.trace import current_span
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import SCOPE_KEY, current
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.facts import FactsResolver, resolve_facts
from activity_emit.middleware.host import watch
from activity_emit.middleware.principal import from_host
from activity_emit.middleware.snapshot import OpenDraft, capture
from activity_emit.middleware.types import Message
from activity_emit.middleware.visit import with_visits
from activity_emit.protocol import Publisher
from activity_emit.settings import EmitSettings
from activity_emit.shared import publisher_for, settings_or_off

Environ = dict[str, Any]
# https://wsgi.readthedocs.io/en/latest/specifications/routing_args.html
_ROUTING_ARGS = "wsgiorg.routing_args"
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]


def from_environ(environ: Environ) -> Any:
    """The default: what the service put into `environ["activity.principal"]`, a Principal, or a
    mapping or an object with its names; else Django's `request.user` or Flask-Login's
    `current_user`."""
    found = environ.get("activity.principal")
    return from_host(environ) if found is None else found


class ActivityWSGIMiddleware:
    """`app.wsgi_app = ActivityWSGIMiddleware(app.wsgi_app)`. See ActivityMiddleware.

    Django and Flask are asked for the route's parameters; another router may tell them in
    `environ["wsgiorg.routing_args"]`. `principal` gets the environ (default: `from_environ`). A
    server that drops the response before its end (the client has left) closes it, which is
    recorded as a disconnect. There is no lifespan: the first event starts the publisher, the end of
    the process stops it.
    """

    def __init__(
        self,
        app: WSGIApp,
        publisher: Publisher | None = None,
        *,
        settings: EmitSettings | None = None,
        principal: Callable[[Environ], Any] = from_environ,
        facts: FactsResolver | None = None,
    ) -> None:
        self.app = app
        self.settings = settings_or_off(settings)
        self.publisher = publisher or publisher_for(self.settings, self)
        self._principal = principal
        self._facts = facts
        self._publish = with_visits(self.publisher.publish, self.settings)
        watch(app)
        self._notices = RateLimitedLogger()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if SCOPE_KEY in environ or not self.settings.enabled:
            if self._facts is not None and SCOPE_KEY in environ:
                environ[SCOPE_KEY].resolvers += ((self._facts, environ),)
            return self.app(environ, start_response)

        def done(exchange: Exchange) -> None:
            self._hand_over(exchange, environ)

        try:
            scope = _scope(environ)
        except Exception as error:  # noqa: BLE001 - an environ of another kind than PEP 3333's
            self._notices.warn("environ", "activity: no event: %s", type(error).__name__)
            return self.app(environ, start_response)
        exchange = Exchange(scope, _nothing, _nowhere, done)
        exchange.ordinary = False
        environ[SCOPE_KEY] = exchange.context
        if self._facts is not None:
            exchange.context.resolvers = ((self._facts, environ),)

        announced: list[str] = []

        def begin(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            # What the server refuses, it refuses itself.
            with contextlib.suppress(Exception):
                exchange.begin(as_status(status[:3]), _pairs(headers))
                announced[:] = [text for name, text in headers if name.lower() == "content-length"]
            # The server iterates over the body outside of most instrumentations' spans.
            exchange.context.span = current_span()
            return start_response(status, headers, *exc_info)

        token = current.set(exchange.context)
        try:
            return _Body(exchange, self.app(environ, begin), announced)
        except BaseException as error:
            exchange.fail(error)
            exchange.finish()
            raise
        finally:
            current.reset(token)

    def _hand_over(self, exchange: Exchange, environ: Environ) -> None:
        try:
            if _ROUTING_ARGS in environ:
                with contextlib.suppress(Exception):  # another thing under that name
                    exchange.scope["path_params"] = dict(environ[_ROUTING_ARGS][1])
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            draft = capture(exchange, lambda _: self._principal(environ), self.settings)
            self._publish(_settled(draft) if isinstance(draft, OpenDraft) else draft)
        except Exception as error:  # noqa: BLE001 - the observed request never pays
            self._notices.warn("hand over", "activity event lost: %s", type(error).__name__)
            with contextlib.suppress(Exception):
                self._publish(LOST)


class _Body:
    """The response's chunks on their way to the server, which calls `close` whatever happens."""

    def __init__(self, exchange: Exchange, chunks: Iterable[bytes], announced: list[str]) -> None:
        self._exchange = exchange
        self._chunks = chunks
        self._announced = announced  # the response's length, when it has begun

    def __iter__(self) -> Iterator[bytes]:
        exchange = self._exchange
        token = current.set(exchange.context)
        try:
            for number, chunk in enumerate(self._chunks):
                exchange.peek(chunk)
                exchange.response_bytes += len(chunk)
                exchange.streamed = number > 0
                if self._announced == [str(exchange.response_bytes)]:
                    exchange.finish()  # Flask's test client asks for no more, and forgets `close`
                yield chunk
                if chunk and not exchange.first_byte_at:
                    exchange.first_byte_at = time.perf_counter()
        except GeneratorExit:
            raise
        except BaseException as error:
            exchange.fail(error)
            raise
        else:
            exchange.finish()
        finally:
            with contextlib.suppress(ValueError):  # the server finalises us in another context
                current.reset(token)

    def close(self) -> None:
        """The server is through with the response, or with the client."""
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                close()
        finally:
            self._exchange.client_gone = not self._exchange.finished and not self._exchange.error
            self._exchange.finish()


def _settled(draft: OpenDraft) -> Draft:
    """An async `principal=` gets a loop of its own; within another one it cannot run."""
    settled = draft.settled()
    try:
        return asyncio.run(settled)
    except RuntimeError as error:
        settled.close()
        return draft.failed(error)


def _pairs(headers: list[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]


def _text(value: str) -> str:
    """WSGI hands bytes over as Latin-1 text."""
    return value.encode("latin-1", "replace").decode("utf-8", "replace")


def _scope(environ: Environ) -> dict[str, Any]:
    """The request as an ASGI scope, as far as an exchange reads it."""
    root_path = _text(environ.get("SCRIPT_NAME", ""))
    traceparent = environ.get("HTTP_TRACEPARENT")
    headers = [(b"traceparent", traceparent.encode("latin-1", "replace"))] if traceparent else []
    return {
        "type": "http",
        "method": environ.get("REQUEST_METHOD", "GET"),
        "path": root_path + _text(environ.get("PATH_INFO", "")),
        "root_path": root_path,
        "headers": headers,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1", "replace"),
    }


async def _nothing() -> Message:
    return {"type": "http.request"}


async def _nowhere(message: Message) -> None:
    del message
