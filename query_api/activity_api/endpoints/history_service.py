"""What feed and stream do with a request: its cursor, its limits, its answer."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request, Response

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.single_flight import SingleFlight
from activity_api.clickhouse.watermark import headers as watermark_headers
from activity_api.clickhouse.watermark import iso
from activity_api.endpoints.feed import Feed, FeedPage
from activity_api.endpoints.history_cursor import BEGINNING, NOW, check_age, open_cursor
from activity_api.endpoints.rate_limit import Limits
from activity_api.endpoints.route import check_parameters
from activity_api.endpoints.tails import Tails
from activity_api.queries.columns_json import utf8
from activity_api.queries.feed_cursor import FeedCursor
from activity_api.queries.history_filter import HistoryFilter
from activity_api.responses import NOT_KEPT, EventStream, json_answer


@dataclass(frozen=True, slots=True)
class HistoryService:
    """`retention_days`: of an org without a time of its own; None: for ever."""

    feed: Feed
    tails: Tails
    flights: SingleFlight[FeedPage]
    clickhouse: ClickHouseClient
    limits: Limits
    cursor_key: bytes
    retention_days: int | None
    request: Request

    async def page(self, filter_: HistoryFilter, after: str | None, limit: int) -> Response:
        """A page of the feed."""
        async with self.limits.admit(filter_.org_id) as headers:
            cursor = await self._cursor(filter_, after or BEGINNING)
            # Equal requests at the same moment are one question, as on the lists.
            key = (filter_, frozenset(cursor.offsets.items()), limit)
            page = await self.flights.ask(key, lambda: self.feed.page(filter_, cursor, limit))
        accepted = self.request.headers.get("accept-encoding", "")
        body = self._json(page, filter_)
        return json_answer(body, accepted, headers | watermark_headers(page.watermark))

    async def stream(self, filter_: HistoryFilter, after: str | None) -> Response:
        """The feed as server-sent events, until the client leaves."""
        # The browser's own header counts: it is the later one where a URL still has the first.
        after = self.request.headers.get("last-event-id") or after
        async with self.limits.admit(filter_.org_id) as headers:
            cursor = await self._cursor(filter_, after or NOW)
            tail = self.tails.open(filter_, cursor)
        return EventStream(tail.events(), headers | NOT_KEPT, tail.close)

    async def _cursor(self, filter_: HistoryFilter, after: str) -> FeedCursor:
        """Raises ApiError (400)."""
        if after == BEGINNING:
            return FeedCursor()
        if after == NOW:
            return await self.tails.now(filter_.org_id)
        cursor = open_cursor(after, self.cursor_key, filter_)
        now = self.feed.clock()
        await check_age(cursor, self.clickhouse, filter_.org_id, self.retention_days, now)
        return cursor

    def _json(self, page: FeedPage, filter_: HistoryFilter) -> bytes:
        through = b"null" if page.watermark is None else b'"%s"' % iso(page.watermark).encode()
        return b'{"activities":[%s],"next_cursor":"%s","watermark":%s,"has_more":%s}' % (
            utf8(b",".join(event.json for event in page.events)),
            page.cursor.seal(self.cursor_key, filter_.fingerprint()).encode(),
            through,
            b"true" if page.has_more else b"false",
        )


async def history_service(request: Request) -> HistoryService:
    """The service of this request. Raises RequestValidationError for parameters of no endpoint."""
    check_parameters(request)
    state = request.app.state
    return HistoryService(
        *(state.feed, state.tails, state.feed_flights, state.clickhouse, state.limits),
        *(state.cursor_key, state.retention_days, request),
    )


History = Annotated[HistoryService, Depends(history_service)]
