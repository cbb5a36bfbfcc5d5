"""One ASGI application behind the middleware, served by hand."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from activity_emit import ActivityMiddleware, EmitSettings
from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.encode import ProducerRecord
from activity_emit.event.encoder import EventEncoder, Hook
from activity_emit.event.numbering import Numbering
from activity_emit.event.plain import as_text
from activity_emit.event.sequence import SequenceCounters
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.middleware.types import ASGIApp, Message, Receive, Scope, Send

START = {"type": "http.response.start", "status": 200, "headers": []}
END = {"type": "http.response.body", "body": b"ok"}


class Collected:
    """A publisher that keeps what it is given."""

    def __init__(self, before_response: bool = False) -> None:
        self.before_response = before_response
        self.drafts: list[Draft] = []
        self.running = False

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        self.drafts.append(draft)
        if stored is not None:
            stored()
        return True

    def start(self) -> None:
        self.running = True

    def stop(self, timeout_s: float | None = None) -> None:
        self.running = False


class Harness:
    """One application behind the middleware."""

    def __init__(self, app: ASGIApp, *, before_response: bool = False, **settings: Any) -> None:
        self.publisher = Collected(before_response)
        self.settings = EmitSettings(**settings)
        self.app = ActivityMiddleware(app, self.publisher, settings=self.settings)
        self.sent: list[Message] = []

    async def request(self, path: str = "/orgs/o1/apps/a1", **scope: Any) -> None:
        async def receive() -> Message:
            return dict(scope.get("_message", {"type": "http.request"}))

        async def send(message: Message) -> None:
            self.sent.append(message)

        # As if a route had taken it, whose parameters are all of its segments.
        params = {
            f"p{number}": part
            for number, part in enumerate((as_text(path) or "").split("/"))
            if part
        }
        base = {"type": "http", "method": "GET", "path": path, "headers": [], "state": {}}
        base["path_params"] = params
        await self.app({**base, **scope}, receive, send)

    def events(self) -> list[dict[str, Any]]:
        messages = built(deque(self.publisher.drafts), self.settings)
        return [json.loads(message.value) for message in messages]

    def event(self) -> dict[str, Any]:
        (event,) = self.events()
        return event


def builder_of(
    queue: "deque[Draft | Committed]",
    settings: EmitSettings | None = None,
    *,
    hook: Hook | None = None,
    metrics: PublisherMetrics | None = None,
    numbering: Numbering | None = None,
) -> Builder:
    metrics = metrics or PublisherMetrics()
    return Builder(
        queue=queue,
        encoder=EventEncoder(settings or EmitSettings(), hook),
        numbering=numbering or Numbering("p", metrics, SequenceCounters()),
        metrics=metrics,
        log=RateLimitedLogger(),
    )


def built(
    queue: "deque[Draft | Committed]",
    settings: EmitSettings | None = None,
    *,
    producer_id: str = "p",
    hook: Hook | None = None,
    counts: PublisherMetrics | None = None,
) -> list[ProducerRecord]:
    """The messages of all drafts in the queue."""
    metrics = counts or PublisherMetrics()
    numbering = Numbering(producer_id, metrics, SequenceCounters())
    builder = builder_of(queue, settings, hook=hook, metrics=metrics, numbering=numbering)
    return builder.take(len(queue))[0]


def answering(*messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


def failing(error: BaseException, *messages: Message) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answering(*messages)(scope, receive, send)
        raise error

    return app


def json_error(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> ASGIApp:
    kind = (b"Content-Type", b"application/json")
    start = {"type": "http.response.start", "status": status, "headers": [kind, *headers]}
    chunks = [{"type": "http.response.body", "body": bytes([b]), "more_body": True} for b in body]
    return answering(start, *chunks, {"type": "http.response.body", "body": b""})


class Watched(list[Message]):
    def __init__(self, on_append: Callable[[], None]) -> None:
        super().__init__()
        self._on_append = on_append

    def append(self, message: Message) -> None:
        self._on_append()
        super().append(message)
