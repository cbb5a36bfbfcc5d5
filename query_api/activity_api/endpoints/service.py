"""From a scope to an answer: limits, cursor, query, body."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends, Request, Response

from activity_api.clickhouse.client import Storage
from activity_api.clickhouse.watermark import Progress
from activity_api.clickhouse.watermark import headers as progress_headers
from activity_api.endpoints.parameters import PageRequest
from activity_api.endpoints.rate_limit import Limits
from activity_api.endpoints.route import check_parameters
from activity_api.endpoints.selection import Scope
from activity_api.errors import invalid, not_found
from activity_api.queries.cursor import Cursor, CursorError
from activity_api.queries.listing import Rows, first_page, next_page
from activity_api.queries.summary import last_hours, read_summary, summary_of
from activity_api.queries.totals import total_of
from activity_api.responses import json_answer


@dataclass(frozen=True, slots=True)
class ActivityReader:
    """What all 15 endpoints do. `request` tells when its client has gone."""

    storage: Storage
    progress: Progress
    limits: Limits
    cursor_key: bytes
    clock: Callable[[], datetime]
    request: Request

    async def page(self, scope: Scope, asked: PageRequest) -> Response:
        """A page of the list, as an ActivityPage."""
        of = asked.within(scope.filter)
        try:
            after = Cursor.open(asked.cursor, self.cursor_key, of) if asked.cursor else None
        except CursorError as error:
            where = ("query", "cursor")
            raise invalid(where, "cursor_invalid", str(error), asked.cursor) from None
        async with self.limits.admit(of.org_id) as headers:
            # Before the rows: what was complete then is in them. A walk keeps its first page's.
            if after is None:
                through = await self.progress.complete_through()
                query = first_page(of, asked.limit)
                rows = Rows.of_first_page(await self.storage.ask(query, self._gone))
            else:
                through = after.complete_through
                query = next_page(of, asked.limit, after)
                rows = Rows.of_next_page(await self.storage.ask(query, self._gone), after)
            if not rows.total:
                await self._check_seen(scope)
        body = rows.to_json(asked.limit, self.cursor_key, of, through)
        return self._answer(body, headers | progress_headers(through))

    async def summary(self, scope: Scope, hours: int) -> Response:
        """The sums of the last hours, as an ActivitySummary."""
        of = last_hours(scope.filter, hours, self.clock())
        async with self.limits.admit(of.org_id) as headers:
            through = await self.progress.complete_through()
            body = await self.storage.ask(summary_of(of), self._gone)
            summary = read_summary(body, of)
            if not summary.total_requests:
                await self._check_seen(scope)
        return self._answer(summary.model_dump_json().encode(), headers | progress_headers(through))

    def _answer(self, body: bytes, headers: dict[str, str]) -> Response:
        return json_answer(body, self.request.headers.get("accept-encoding", ""), headers)

    async def _check_seen(self, scope: Scope) -> None:
        """Raises ApiError (404) for what has no activity at all, at any time."""
        if scope.kind is None:
            return
        total = await self.storage.ask(total_of(scope.entity), self._gone)
        if not int(total):
            raise not_found(scope.kind, scope.id)

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


async def activity_reader(request: Request) -> ActivityReader:
    """A reader for this request. Raises RequestValidationError for parameters of no endpoint: each
    route asks for its reader last, so the caller's right comes first."""
    check_parameters(request)
    state = request.app.state
    return ActivityReader(
        state.storage, state.progress, state.limits, state.cursor_key, state.clock, request
    )


Reader = Annotated[ActivityReader, Depends(activity_reader)]
