"""From a selection to an answer: limits, cursor, query, body."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.watermark import Watermark
from activity_api.clickhouse.watermark import headers as watermark_headers
from activity_api.endpoints.parameters import PageRequest
from activity_api.endpoints.rate_limit import Limits
from activity_api.endpoints.route import check_parameters
from activity_api.endpoints.selection import Selection
from activity_api.errors import invalid, not_found
from activity_api.queries.cursor import Cursor, CursorError
from activity_api.queries.listing import first_page, next_page, rows_by_columns
from activity_api.queries.page_rows import Rows
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from activity_api.responses import json_answer


@dataclass(frozen=True, slots=True)
class ActivityService:
    """What all 15 endpoints do. `request` tells when its client has left."""

    clickhouse: ClickHouseClient
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
        async with self.limits.admit(filter_.org_id) as headers:
            # Before the rows: what was complete then is in them. Later pages keep the first one's.
            if after is None:
                through = await self.watermark.complete_through()
                query = first_page(filter_, asked.limit)
                rows = Rows.of_first_page(await self.clickhouse.query(query, self._disconnected))
            else:
                through = after.complete_through
                query = next_page(filter_, asked.limit, after)
                rows = Rows.of_next_page(
                    await self.clickhouse.query(query, self._disconnected), after
                )
            if missing := rows.missing:
                by_columns = rows_by_columns(filter_, missing)
                rows.fill(await self.clickhouse.query(by_columns, self._disconnected))
            if not rows.total:
                await self._check_seen(selection)
        body = rows.to_json(asked.limit, self.cursor_key, filter_, through)
        return self._answer(body, headers | watermark_headers(through))

    async def summary(self, selection: Selection, hours: int) -> Response:
        """The sums of the last hours, as an ActivitySummary."""
        filter_ = last_hours(selection.filter, hours, self.clock())
        async with self.limits.admit(filter_.org_id) as headers:
            through = await self.watermark.complete_through()
            body = await self.clickhouse.query(summary_of(filter_), self._disconnected)
            summary = read_summary(body, filter_)
            if not summary.total_requests:
                await self._check_seen(selection)
        return self._answer(
            summary.model_dump_json().encode(), headers | watermark_headers(through)
        )

    def _answer(self, body: bytes, headers: dict[str, str]) -> Response:
        return json_answer(body, self.request.headers.get("accept-encoding", ""), headers)

    async def _check_seen(self, selection: Selection) -> None:
        """Raises ApiError (404) for what has no activity at all, at any time."""
        if selection.kind is None:
            return
        total = await self.clickhouse.query(
            total_of(selection.existence_filter), self._disconnected
        )
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
        state.clickhouse, state.watermark, state.limits, state.cursor_key, state.clock, request
    )


Service = Annotated[ActivityService, Depends(activity_service)]
