"""Live tails: many readers of the feed, who ask together and are woken together."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable
from dataclasses import dataclass

from activity_api.clickhouse.client import TooLargeError, UnavailableError
from activity_api.clickhouse.settled import FRESH_SECONDS, Settled
from activity_api.clickhouse.single_flight import SingleFlight
from activity_api.endpoints.feed import Feed, FeedPage
from activity_api.endpoints.rate_limit import LimitExceededError
from activity_api.errors import unavailable
from activity_api.metrics import ApiMetrics
from activity_api.queries.columns_json import utf8
from activity_api.queries.feed_cursor import FeedCursor
from activity_api.queries.history_filter import HistoryFilter
from activity_api.settings import StreamSettings

_PAGE = 100
# Pages that readers a little behind the others find ready; of some hundred kB each at most. Not for
# long: what is erased must be gone everywhere.
_KEPT_PAGES = 32
_KEPT_S = 5.0
_RETRY_S = 1.0
_HEARTBEAT = b": heartbeat\n\n"
# How long a client waits before it comes back, milliseconds.
_BEGIN = b"retry: 1000\n: from here on\n\n"


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some events as they are sent, the same bytes for all who stand at the same place."""

    body: bytes
    cursor: FeedCursor
    has_more: bool
    read_at: float


class Tails:
    """All tails of a process. `clock`: seconds, monotonic."""

    def __init__(
        self,
        feed: Feed,
        settings: StreamSettings,
        metrics: ApiMetrics,
        key: bytes,
        clock: Callable[[], float],
    ) -> None:
        """`key`: signs cursors."""
        self._feed = feed
        self.settings = settings
        self.clock = clock
        self.stopped = asyncio.Event()
        self._metrics = metrics
        self._key = key
        self._open: Counter[str] = Counter()
        self._flights: SingleFlight[_Chunk] = SingleFlight(settings.heartbeat_s)
        self._nows: SingleFlight[FeedCursor] = SingleFlight(settings.heartbeat_s)
        self._kept: OrderedDict[Hashable, _Chunk] = OrderedDict()
        self._moved = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None

    def open(self, filter_: HistoryFilter, cursor: FeedCursor) -> "Tail":
        """A place for one more. Raises LimitExceededError and ApiError (503)."""
        org_id = filter_.org_id
        if self._open[org_id] >= self.settings.connections_per_org:
            raise LimitExceededError("tails", 1, {})
        if self._open.total() >= self.settings.connections:
            raise unavailable("No more live tails now", 5)
        self._open[org_id] += 1
        self._metrics.tails(self._open.total())
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        return Tail(self, filter_, cursor)

    def leave(self, org_id: str) -> None:
        """One that was open has ended."""
        self._open[org_id] -= 1
        if not self._open[org_id]:
            del self._open[org_id]
        self._metrics.tails(self._open.total())

    def stop(self) -> None:
        """All tails end, and their clients may come back elsewhere."""
        self.stopped.set()
        self._moved.set()

    async def close(self) -> None:
        """Stop watching."""
        self.stop()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait((self._watching,))

    @property
    def moved(self) -> asyncio.Event:
        """Set when something more is settled; another one from then on."""
        return self._moved

    async def now(self, org_id: str) -> FeedCursor:
        """Behind all that is settled, asked once for all who come at the same moment: after a
        restart that is everybody."""
        return await self._nows.ask(org_id, lambda: self._feed.now(org_id))

    async def chunk(self, filter_: HistoryFilter, cursor: FeedCursor) -> _Chunk:
        """What comes next there, asked once for all who stand there. Raises what
        ClickHouseClient.query raises."""
        key = (filter_, frozenset(cursor.offsets.items()))
        kept = self._kept.get(key)
        if kept is not None and self.clock() - kept.read_at < _KEPT_S:
            return kept
        chunk = await self._flights.ask(key, lambda: self._read(filter_, cursor))
        if chunk.body:  # what comes next to a place never changes once it is there
            self._kept[key] = chunk
            self._kept.move_to_end(key)
            if len(self._kept) > _KEPT_PAGES:
                self._kept.popitem(last=False)
        return chunk

    async def _read(self, filter_: HistoryFilter, cursor: FeedCursor) -> _Chunk:
        page = await self._feed.page(filter_, cursor, _PAGE)
        body = self._body(page, filter_.fingerprint())
        return _Chunk(body, page.cursor, page.has_more, self.clock())

    def _body(self, page: FeedPage, fingerprint: bytes) -> bytes:
        events = (
            b"id: %s\nevent: activity\ndata: %s\n\n"
            % (event.cursor.seal(self._key, fingerprint).encode(), _one_line(event.json))
            for event in page.events
        )
        return b"".join(events)

    async def _watch(self) -> None:
        """While anybody is there: wake them when a partition has got on."""
        before: Settled | None = None
        while self._open and not self.stopped.is_set():
            try:
                now = await self._feed.settled.read()
            except Exception:  # noqa: BLE001 - tails go on when the engine is there again
                now = None
            if now is not None and now != before:
                before = now
                moved, self._moved = self._moved, asyncio.Event()
                moved.set()
            await asyncio.sleep(FRESH_SECONDS)
        self._kept.clear()


class Tail:
    """One reader. Nothing is kept for it but where it stands: while it does not take what it was
    sent, nothing more is read for it."""

    def __init__(self, tails: Tails, filter_: HistoryFilter, cursor: FeedCursor) -> None:
        self._tails = tails
        self._filter = filter_
        self._cursor = cursor
        self._is_open = True

    def close(self) -> None:
        """Its place is free."""
        if self._is_open:
            self._is_open = False
            self._tails.leave(self._filter.org_id)

    async def events(self) -> AsyncIterator[bytes]:
        """Until the server stops, or its time is up: the client comes back with its last id."""
        settings, stopped = self._tails.settings, self._tails.stopped
        ends = self._tails.clock() + settings.max_age_s
        yield _BEGIN
        while not stopped.is_set() and self._tails.clock() < ends:
            moved = self._tails.moved
            wait_s, chunk = settings.heartbeat_s, None
            try:
                chunk = await self._tails.chunk(self._filter, self._cursor)
            except (UnavailableError, TooLargeError):
                wait_s = _RETRY_S
            if chunk is not None:
                self._cursor = chunk.cursor
                if chunk.body:
                    yield chunk.body
                if chunk.has_more:
                    continue
            try:
                await asyncio.wait_for(moved.wait(), min(wait_s, ends - self._tails.clock()))
            except TimeoutError:
                yield _HEARTBEAT


def _one_line(json: bytes) -> bytes:
    """A service's metadata may have line breaks between its tokens."""
    return utf8(json.replace(b"\r", b" ").replace(b"\n", b" "))
