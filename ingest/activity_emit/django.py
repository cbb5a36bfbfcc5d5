"""Django's own middleware: also under its test client, which calls no WSGI application.

MIDDLEWARE = ["activity_emit.django.ActivityMiddleware", ...]  # first
"""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction

from activity_emit.event.draft import LOST
from activity_emit.event.plain import as_status
from activity_emit.event.trace import current_span
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import SCOPE_KEY, current
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.principal import from_scope
from activity_emit.middleware.snapshot import OpenDraft, capture
from activity_emit.middleware.types import Message
from activity_emit.middleware.visit import with_visits
from activity_emit.shared import publisher_for, settings_or_off


class ActivityMiddleware:
    """Records every request that belongs to an org, under WSGI and ASGI. Settings are read from
    the environment. Whatever goes wrong here is logged and never reaches the request.

    Who it was: `request.user`, if the application has looked at it. It is not loaded for us: that
    would be a query to the database in each request.
    """

    sync_capable = async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        self._get_response = get_response
        self._settings = settings_or_off(None)
        self._publisher = publisher_for(self._settings, self)
        self._publish = with_visits(self._publisher.publish, self._settings)
        self._notices = RateLimitedLogger()
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Serve one request; a coroutine where Django runs asynchronously."""
        if iscoroutinefunction(self):
            return self._serve(request)
        exchange = self._begin(request)
        if exchange is None:
            return self._get_response(request)
        token = current.set(exchange.context)
        try:
            return self._answered(exchange, self._get_response(request))
        except BaseException as error:
            exchange.fail(error)
            exchange.finish()
            raise
        finally:
            current.reset(token)

    async def _serve(self, request: Any) -> Any:
        exchange = self._begin(request)
        if exchange is None:
            return await self._get_response(request)
        token = current.set(exchange.context)
        try:
            return self._answered(exchange, await self._get_response(request))
        except BaseException as error:
            exchange.fail(error)
            exchange.finish()
            raise
        finally:
            current.reset(token)

    def process_exception(self, request: Any, error: Exception) -> None:
        """A view raised; Django makes a response of it."""
        exchange = request.META.get("activity.exchange")
        if exchange is not None:
            exchange.fail(error)

    def _begin(self, request: Any) -> Exchange | None:
        """None: not recorded, or by a middleware further out."""
        outer = SCOPE_KEY in request.META or SCOPE_KEY in getattr(request, "scope", ())
        if outer or not self._settings.enabled:
            return None
        traceparent = request.META.get("HTTP_TRACEPARENT")
        scope = {
            "type": "http",
            "method": request.method,
            "path": request.path,
            "root_path": request.META.get("SCRIPT_NAME", ""),
            "headers": [(b"traceparent", traceparent.encode())] if traceparent else [],
            "query_string": request.META.get("QUERY_STRING", "").encode(),
        }

        def done(exchange: Exchange) -> None:
            self._hand_over(exchange, request)

        exchange = Exchange(scope, _nothing, _nowhere, done)
        exchange.ordinary = False
        scope[SCOPE_KEY] = exchange.context
        request.META[SCOPE_KEY] = exchange.context
        request.META["activity.exchange"] = exchange
        return exchange

    def _hand_over(self, exchange: Exchange, request: Any) -> None:
        try:
            exchange.context.host = request
            draft = capture(exchange, from_scope, self._settings)
            if isinstance(draft, OpenDraft):  # what is awaited here would block Django's loop
                draft = draft.failed(TypeError("an awaitable"))
            self._publish(draft)
        except Exception as error:  # noqa: BLE001 - the observed request never pays
            self._notices.warn("hand over", "activity event lost: %s", type(error).__name__)
            with contextlib.suppress(Exception):
                self._publish(LOST)

    def _answered(self, exchange: Exchange, response: Any) -> Any:
        if response.status_code < 500:
            exchange.error = None  # the application has its own answer to the exception
        headers = [(name.encode(), str(value).encode()) for name, value in response.items()]
        # A server iterates over a stream outside of most instrumentations' spans.
        exchange.context.span = current_span()
        exchange.begin(as_status(response.status_code), headers)
        if not response.streaming:
            exchange.peek(response.content)
            exchange.response_bytes = len(response.content)
            exchange.finish()
        elif response.is_async:
            response.streaming_content = _read_async(exchange, response.streaming_content)
        else:
            response.streaming_content = _read(exchange, response.streaming_content)
        return response


def _read(exchange: Exchange, chunks: Any) -> Iterator[bytes]:
    try:
        for chunk in chunks:
            _count(exchange, chunk)
            yield chunk
    except BaseException as error:
        _broken(exchange, error)
        raise
    finally:
        exchange.finish()


async def _read_async(exchange: Exchange, chunks: Any) -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            _count(exchange, chunk)
            yield chunk
    except BaseException as error:
        _broken(exchange, error)
        raise
    finally:
        exchange.finish()


def _count(exchange: Exchange, chunk: bytes) -> None:
    exchange.peek(chunk)
    exchange.chunk(chunk)


def _broken(exchange: Exchange, error: BaseException) -> None:
    if isinstance(error, GeneratorExit):
        exchange.client_gone = True
    else:
        exchange.fail(error)


async def _nothing() -> Message:
    return {"type": "http.request"}


async def _nowhere(message: Message) -> None:
    del message
