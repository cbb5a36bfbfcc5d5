"""The ASGI middleware: one activity event per request."""

import asyncio

from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import SCOPE_KEY, current
from activity_emit.middleware.exchange import Exchange
from activity_emit.middleware.facts import FactsResolver, resolve_facts
from activity_emit.middleware.principal import PrincipalResolver, from_scope
from activity_emit.middleware.snapshot import capture
from activity_emit.middleware.types import ASGIApp, Message, Receive, Scope, Send
from activity_emit.middleware.websocket import Connection
from activity_emit.protocol import Publisher
from activity_emit.publisher import KafkaPublisher
from activity_emit.settings import EmitSettings

_COMMIT_S = 1.0  # then the response goes out all the same


class ActivityMiddleware:
    """Records every request of an ASGI application that belongs to an org.

    `app.add_middleware(ActivityMiddleware)` is all a service needs; add it last, so that it stands
    outside of the others. `principal`: how to find out who called, from the ASGI scope, after the
    application has run (default: `request.state.principal`, then `request.user`). `facts`: what
    else this application's requests have in common, see FactsResolver; also heard where this stands
    in a mounted application, inside of another one.
    Whatever goes wrong here is logged and never reaches the request.
    """

    def __init__(
        self,
        app: ASGIApp,
        publisher: Publisher | None = None,
        *,
        settings: EmitSettings | None = None,
        principal: PrincipalResolver = from_scope,
        facts: FactsResolver | None = None,
    ) -> None:
        self.app = app
        self.settings = settings or EmitSettings()
        self.publisher = publisher or KafkaPublisher(emit=self.settings)
        self._principal = principal
        self._facts = facts
        # Bound once, and not in each request.
        self._publish = self.publisher.publish
        self._done = self._hand_over
        self._commit = self._stored if self.publisher.before_response else None
        self._notices = RateLimitedLogger()
        self._open: set[Exchange] = set()
        kinds = {"http", "websocket"} if self.settings.websockets else {"http"}
        self._kinds = frozenset(kinds if self.settings.enabled else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        # A second middleware further in, say of a mounted application, leaves it to the first.
        if kind not in self._kinds or SCOPE_KEY in scope:
            if self._facts is not None and SCOPE_KEY in scope:
                scope[SCOPE_KEY].resolvers += ((self._facts, scope),)
            if kind == "lifespan":
                await self._lifespan(scope, receive, send)
            else:
                await self.app(scope, receive, send)
            return
        if kind == "http":
            exchange = Exchange(scope, receive, send, self._done, self._commit)
        else:
            exchange = Connection(scope, receive, send, self._done)
        context = scope[SCOPE_KEY] = exchange.context
        if self._facts is not None:
            context.resolvers = ((self._facts, scope),)
        token = current.set(context)
        self._open.add(exchange)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            raise
        finally:
            current.reset(token)
            if not exchange.finished:
                exchange.finish()
            self._open.discard(exchange)

    def _hand_over(self, exchange: Exchange) -> None:
        try:
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            self._publish(capture(exchange, self._principal, self.settings))
        except Exception as error:  # noqa: BLE001 - the observed request never pays
            self._notices.warn("hand over", "activity event lost: %s", type(error).__name__)

    async def _stored(self, exchange: Exchange) -> None:
        """Hand over, and wait until the event is on disk: the response's last byte waits, too."""
        loop, stored = asyncio.get_running_loop(), asyncio.Event()

        def tell() -> None:
            loop.call_soon_threadsafe(stored.set)

        try:
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            draft = capture(exchange, self._principal, self.settings)
            if self._publish(draft, tell):
                async with asyncio.timeout(_COMMIT_S):
                    await stored.wait()
        except Exception as error:  # noqa: BLE001 - a slow disk must not take the service down
            self._notices.warn("commit", "response sent before its event: %s", type(error).__name__)

    def _cut_off(self) -> None:
        """Requests that the server will not wait for: granian ends with their tasks unfinished."""
        for exchange in list(self._open):
            exchange.fail(asyncio.CancelledError())
            exchange.finish()

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.settings.enabled:
            self.publisher.start()

        async def send_after_flush(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                self._cut_off()
                await asyncio.to_thread(self.publisher.stop)
            await send(message)

        await self.app(scope, receive, send_after_flush)
