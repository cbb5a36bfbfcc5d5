"""The WSGI twin, for Flask and Django: the same settings, the same events."""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import SCOPE_KEY, current
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.facts import FactsResolver, resolve_facts
from activity_emit.middleware.principal import Principal
from activity_emit.middleware.snapshot import capture
from activity_emit.middleware.types import Message
from activity_emit.protocol import Publisher
from activity_emit.publisher import KafkaPublisher
from activity_emit.settings import EmitSettings

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]


def from_environ(environ: Environ) -> Principal | None:
    """The default: what the service put into `environ["activity.principal"]`."""
    found = environ.get("activity.principal")
    return found if isinstance(found, Principal) else None


class ActivityWSGIMiddleware:
    """`app.wsgi_app = ActivityWSGIMiddleware(app.wsgi_app)`. See ActivityMiddleware.

    WSGI does not tell a route's parameters: ids come from the path's known collections, or from
    the handler's `activity.set`. A server that drops the response before its end (the client has
    left) closes it, which is recorded as a disconnect. There is no lifespan: the first event
    starts the publisher, the end of the process stops it.
    """

    def __init__(
        self,
        app: WSGIApp,
        publisher: Publisher | None = None,
        *,
        settings: EmitSettings | None = None,
        principal: Callable[[Environ], Principal | None] = from_environ,
        facts: FactsResolver | None = None,
    ) -> None:
        self.app = app
        self.settings = settings or EmitSettings()
        self.publisher = publisher or KafkaPublisher(emit=self.settings)
        self._principal = principal
        self._facts = facts
        self._notices = RateLimitedLogger()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        if SCOPE_KEY in environ or not self.settings.enabled:
            if self._facts is not None and SCOPE_KEY in environ:
                environ[SCOPE_KEY].resolvers += ((self._facts, environ),)
            return self.app(environ, start_response)

        def done(exchange: Exchange) -> None:
            self._hand_over(exchange, environ)

        exchange = Exchange(_scope(environ), _nothing, _nowhere, done)
        exchange.ordinary = False
        environ[SCOPE_KEY] = exchange.context
        if self._facts is not None:
            exchange.context.resolvers = ((self._facts, environ),)

        announced: list[str] = []

        def begin(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Any:
            announced[:] = [value for name, value in headers if name.lower() == "content-length"]
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            exchange.begin(int(status[:3]), pairs)
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
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            draft = capture(exchange, lambda _: self._principal(environ), self.settings)
            self.publisher.publish(draft)
        except Exception as error:  # noqa: BLE001 - the observed request never pays
            self._notices.warn("hand over", "activity event lost: %s", type(error).__name__)


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


def _scope(environ: Environ) -> dict[str, Any]:
    """The request as an ASGI scope, as far as an exchange reads it."""
    root_path = environ.get("SCRIPT_NAME", "")
    # WSGI hands bytes over as Latin-1 text.
    path = (root_path + environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8", "replace")
    traceparent = environ.get("HTTP_TRACEPARENT")
    headers = [(b"traceparent", traceparent.encode("latin-1"))] if traceparent else []
    return {
        "type": "http",
        "method": environ.get("REQUEST_METHOD", "GET"),
        "path": path,
        "root_path": root_path,
        "headers": headers,
        "query_string": environ.get("QUERY_STRING", "").encode("latin-1"),
    }


async def _nothing() -> Message:
    return {"type": "http.request"}


async def _nowhere(message: Message) -> None:
    del message
