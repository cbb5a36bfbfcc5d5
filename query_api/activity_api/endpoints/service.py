"""From a selection to an answer: limits, cursor, query, body."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.single_flight import SingleFlight
from activity_api.clickhouse.watermark import Watermark
from activity_api.clickhouse.watermark import headers as watermark_headers
from activity_api.endpoints.parameters import PageRequest
from activity_api.endpoints.rate_limit import Limits
from activity_api.endpoints.route import check_parameters
from activity_api.endpoints.selection import Selection
from activity_api.errors import invalid, not_found
from activity_api.queries.cursor import Cursor, CursorError
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page, next_page, rows_by_columns
from activity_api.queries.page_rows import Rows
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from activity_api.responses import json_answer

#: What equal requests share: the answer's body, and what the table was complete through before it.
Body = tuple[bytes, datetime | None]


@dataclass(frozen=True, slots=True)
class ActivityService:
    """What all 15 endpoints do. `request` tells when its client has left."""

    clickhouse: ClickHouseClient
    flights: SingleFlight[Body]
    watermark: Watermark
    limits: Limits
    cursor_key: bytes
    clock: Callable[[], datetime]
    request: Request

    async def page(self, selection: Selection, asked: PageRequest) -> Response:
        """A page of the list, as an ActivityPage."""
        filter_ = asked.within(selection.filter)
        try:
            after = Cursor.open(asked.cursor, self.cursor_key, filter_) if asked.cursor else None
        except CursorError as error:
            where = ("query", "cursor")
            raise invalid(where, "cursor_invalid", str(error), asked.cursor) from None
        return await self._shared(
            (selection, filter_, asked.limit, after),
            lambda: self._page(selection, filter_, asked.limit, after),
        )

    async def summary(self, selection: Selection, hours: int) -> Response:
        """The sums of the last hours, as an ActivitySummary."""
        return await self._shared((selection, hours), lambda: self._summary(selection, hours))

    async def _shared(
        self, key: tuple[Selection, *tuple[object, ...]], question: Callable[[], Awaitable[Body]]
    ) -> Response:
        """Asked once for equal requests. The selection is all that the caller may see of what was
        asked for, so nobody gets what was found for somebody with other rights."""
        async with self.limits.admit(key[0].filter.org_id) as headers:
            body, through = await self.flights.ask(key, question, self._disconnected)
        accepted = self.request.headers.get("accept-encoding", "")
        return json_answer(body, accepted, headers | watermark_headers(through))

    async def _page(
        self, selection: Selection, filter_: ActivityFilter, limit: int, after: Cursor | None
    ) -> Body:
        # Before the rows: what was complete then is in them. Later pages keep the first one's.
        if after is None:
            through = await self.watermark.complete_through()
            query = first_page(filter_, limit)
            rows = Rows.of_first_page(await self.clickhouse.query(query))
        else:
            through = after.complete_through
            query = next_page(filter_, limit, after)
            rows = Rows.of_next_page(await self.clickhouse.query(query), after)
        if missing := rows.found.missing:
            rows.found.fill(await self.clickhouse.query(rows_by_columns(filter_, missing)))
        if not rows.total:
            await self._check_seen(selection)
        return rows.to_json(limit, self.cursor_key, filter_, through), through

    async def _summary(self, selection: Selection, hours: int) -> Body:
        filter_ = last_hours(selection.filter, hours, self.clock())
        through = await self.watermark.complete_through()
        summary = read_summary(await self.clickhouse.query(summary_of(filter_)), filter_)
        if not summary.total_requests:
            await self._check_seen(selection)
        return summary.model_dump_json().encode(), through

    async def _check_seen(self, selection: Selection) -> None:
        """Raises ApiError (404) for what has no activity at all, at any time."""
        if selection.kind is None:
            return
        total = await self.clickhouse.query(total_of(selection.existence_filter))
        if not int(total):
            raise not_found(selection.kind, selection.id)

    async def _disconnected(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


async def activity_service(request: Request) -> ActivityService:
    """The service of this request. Raises RequestValidationError for parameters of no endpoint:
    each route asks for its service last, so the caller's right comes first."""
    check_parameters(request)
    state = request.app.state
    return ActivityService(
        state.clickhouse,
        state.flights,
        state.watermark,
        state.limits,
        state.cursor_key,
        state.clock,
        request,
    )


Service = Annotated[ActivityService, Depends(activity_service)]
