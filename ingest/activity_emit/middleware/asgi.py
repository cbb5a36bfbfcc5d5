"""The ASGI middleware: one activity event per request."""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from activity_emit.event.draft import LOST
from activity_emit.logs import RateLimitedLogger
from activity_emit.middleware.context import SCOPE_KEY, current
from activity_emit.middleware.exchange import Exchange, QueueExchange
from activity_emit.middleware.facts import FactsResolver, resolve_facts
from activity_emit.middleware.host import watch
from activity_emit.middleware.principal import PrincipalResolver, from_scope
from activity_emit.middleware.snapshot import OpenDraft, capture
from activity_emit.middleware.starlette import answers_outside, watch_router
from activity_emit.middleware.types import ASGIApp, Message, Receive, Scope, Send
from activity_emit.middleware.visit import with_visits
from activity_emit.middleware.websocket import Connection
from activity_emit.protocol import Publisher
from activity_emit.settings import EmitSettings
from activity_emit.shared import begin_lifespan, end_lifespan, publisher_for, settings_or_off
from activity_emit.waiting import Mark, in_thread

_COMMIT_S = 1.0  # then the response goes out all the same
_OUTSIDE = (
    "the application's own handler of Exception answers outside of ActivityMiddleware, which takes"
    " its answer for a 500: use activity_emit.observe(app) in place of app.add_middleware"
)


class ActivityMiddleware:
    """Records every request of an ASGI application that belongs to an org.

    For Starlette and FastAPI say `observe(app)`; for any other application
    `app = ActivityMiddleware(app)`. (`app.add_middleware(ActivityMiddleware)`, last, works too, but
    does not see what the application's own handler of `Exception` answers.) `principal`: how to
    find out who called, from the ASGI scope, after the application has run; sync or async; returns
    a Principal, a mapping or object with its names, or None (default: see `from_scope`). `facts`:
    what else this application's requests have in common, see FactsResolver; also heard where this
    stands in a mounted application, inside of another one. Whatever goes wrong here is logged and
    never reaches the request.
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
        self.settings = settings_or_off(settings)
        self.publisher = publisher or publisher_for(self.settings, self)
        self._principal = principal
        self._facts = facts
        # Bound once, and not in each request.
        self._publish = with_visits(self.publisher.publish, self.settings)
        self._done = self._hand_over
        self._commit = self._stored if self.publisher.before_response else None
        watch(app)
        self._notices = RateLimitedLogger()
        self._recorded: dict[str, type[Exchange]] = {}  # by kind, from the first request on
        self._open: set[Exchange] = set()
        kinds = {"http", "websocket"} if self.settings.websockets else {"http"}
        self._kinds = frozenset(kinds if self.settings.enabled else ())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        exchange_of = self._recorded.get(scope["type"])
        # A second middleware further in, say of a mounted application, leaves it to the first.
        if exchange_of is None or SCOPE_KEY in scope:
            await self._serve_other(scope, receive, send)
            return
        exchange = exchange_of(scope, receive, send, self._done)
        if self._commit is not None:
            exchange.commit(self._commit)
        context = scope[SCOPE_KEY] = exchange.context
        if self._facts is not None:
            context.resolvers = ((self._facts, scope),)
        token = current.set(context)
        self._open.add(exchange)
        try:
            await self.app(scope, exchange.receive, exchange.send)
        except BaseException as error:
            exchange.fail(error)
            if not exchange.finished and answers_outside(scope.get("app"), error):
                self._notices.warn("outside", _OUTSIDE)
            raise
        finally:
            current.reset(token)
            if not exchange.finished:
                owed = exchange.finish()
                if owed is not None:
                    await owed
            context.routed = None  # circles, for the garbage collector
            context.resolvers = ()
            self._open.discard(exchange)

    async def _serve_other(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The first request; and what this middleware does not record."""
        if scope["type"] in self._kinds and SCOPE_KEY not in scope:
            self._look_around(scope, receive)
            await self(scope, receive, send)
            return
        if self._facts is not None and SCOPE_KEY in scope:
            scope[SCOPE_KEY].resolvers += ((self._facts, scope),)
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _look_around(self, scope: Scope, receive: Receive) -> None:
        """At the first request: which server this is, and where the application's router."""
        queue = isinstance(getattr(receive, "__self__", None), asyncio.Queue)
        of_kind = {"http": QueueExchange if queue else Exchange, "websocket": Connection}
        self._recorded = {kind: of_kind[kind] for kind in self._kinds}
        watch_router(scope.get("app") or self.app)

    def _hand_over(self, exchange: Exchange) -> Coroutine[Any, Any, None] | None:
        try:
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            draft = capture(exchange, self._principal, self.settings)
            if type(draft) is OpenDraft:
                return self._hand_over_settled(draft)
            self._publish(draft)
        except Exception as error:  # noqa: BLE001 - the observed request never pays
            self._lost(error)
        return None

    async def _hand_over_settled(self, draft: OpenDraft) -> None:
        try:
            settled = await draft.settled()
        except BaseException as error:  # cancelled meanwhile
            self._publish(draft.failed(error))
            raise
        self._publish(settled)

    def _lost(self, error: Exception) -> None:
        self._notices.warn("hand over", "activity event lost: %s", type(error).__name__)
        with contextlib.suppress(Exception):
            self._publish(LOST)

    async def _stored(self, exchange: Exchange) -> None:
        """Hand over, and wait until the event is on disk: the response's last byte waits, too."""
        try:
            if exchange.context.resolvers:
                resolve_facts(exchange.context)
            draft = capture(exchange, self._principal, self.settings)
            if isinstance(draft, OpenDraft):
                draft = await draft.settled()
            stored = Mark()
            if self._publish(draft, stored.set) and not await stored.wait_for(_COMMIT_S):
                self._notices.warn("commit", "response sent before its event: too late")
        except Exception as error:  # noqa: BLE001 - a slow disk must not take the service down
            self._notices.warn("commit", "response sent before its event: %s", type(error).__name__)

    def _cut_off(self) -> None:
        """Requests that the server will not wait for: granian ends with their tasks unfinished."""
        for exchange in list(self._open):
            error = asyncio.CancelledError()
            exchange.fail(error)
            if not exchange.finished:
                owed = exchange.finish()
                if owed is not None:  # there is no loop to wait in: as far as it comes, then
                    with contextlib.suppress(BaseException):
                        owed.send(None)
                        owed.throw(error)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.settings.enabled:
            begin_lifespan(self.publisher)

        async def send_after_flush(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown"):
                self._cut_off()
                if self.settings.enabled:
                    await in_thread(lambda: end_lifespan(self.publisher))
            await send(message)

        await self.app(scope, receive, send_after_flush)
