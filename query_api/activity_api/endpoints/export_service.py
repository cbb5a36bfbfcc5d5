"""What an export does with a request: its place, its format, its answer."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from fastapi import Depends, Request, Response

from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.watermark import Watermark
from activity_api.clickhouse.watermark import headers as watermark_headers
from activity_api.endpoints.export import Lines
from activity_api.endpoints.history_cursor import open_export_cursor
from activity_api.endpoints.rate_limit import LimitExceededError, Limits
from activity_api.endpoints.route import check_parameters
from activity_api.errors import ApiError, invalid, unavailable
from activity_api.queries.export import AS_OF, as_parquet, count_of
from activity_api.queries.history_filter import HistoryFilter
from activity_api.queries.query import Query
from activity_api.responses import Streamed, compressed
from activity_api.settings import ExportSettings
from activity_schemas import errors

Format = Literal["ndjson", "csv", "parquet"]

_TYPES = {
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ExportPlaces:
    """So many exports at a time, in all and of an org."""

    def __init__(self, settings: ExportSettings) -> None:
        self._settings = settings
        self.parquet_rows = settings.parquet_rows
        self._running: Counter[str] = Counter()

    @contextmanager
    def take(self, org_id: str) -> Iterator[None]:
        """Raises LimitExceededError and ApiError (503)."""
        if self._running[org_id] >= self._settings.concurrent_per_org:
            raise LimitExceededError("exports", 5, {})
        if self._running.total() >= self._settings.concurrent:
            raise unavailable("Too many exports are running", 5)
        self._running[org_id] += 1
        try:
            yield
        finally:
            self._running[org_id] -= 1
            if not self._running[org_id]:
                del self._running[org_id]


@dataclass(frozen=True, slots=True)
class ExportService:
    clickhouse: ClickHouseClient
    watermark: Watermark
    limits: Limits
    places: ExportPlaces
    cursor_key: bytes
    request: Request

    async def export(
        self, filter_: HistoryFilter, form: Format, most: int | None, cursor: str | None
    ) -> Response:
        """The answer begins when the engine has given its first rows."""
        async with self.limits.admit(filter_.org_id) as headers, AsyncExitStack() as stack:
            stack.enter_context(self.places.take(filter_.org_id))
            if form == "parquet":
                pieces, told = await self._parquet(filter_, most, cursor, stack)
            else:
                pieces, told = await self._lines(filter_, form == "csv", most, cursor)
                accepted = self.request.headers.get("accept-encoding", "")
                pieces, coding = compressed(pieces, accepted)
                headers |= {"Vary": "Accept-Encoding", **coding}
            name = f'attachment; filename="activity.{form}"'
            more = {**headers, **told, "Content-Disposition": name}
            # From here on the places are held by the answer, until it has ended.
            return Streamed(pieces, more, _TYPES[form], stack.pop_all())

    async def _lines(
        self, filter_: HistoryFilter, csv: bool, most: int | None, cursor: str | None
    ) -> tuple[AsyncIterator[bytes], dict[str, str]]:
        after = open_export_cursor(cursor, self.cursor_key, filter_) if cursor else None
        if after is None:
            through, as_of = await self.watermark.complete_through(), await self._now()
        else:
            through, as_of = after.complete_through, after.as_of
        lines = Lines(
            *(self.clickhouse, filter_, as_of, after, most, csv, through, self.cursor_key)
        )
        return lines.stream(await lines.first()), watermark_headers(through)

    async def _parquet(
        self, filter_: HistoryFilter, most: int | None, cursor: str | None, stack: AsyncExitStack
    ) -> tuple[AsyncIterator[bytes], dict[str, str]]:
        if most is not None or cursor is not None:
            name = "limit" if most is not None else "cursor"
            message = "A Parquet file is whole: choose its part by start_time and end_time"
            details = {"parameter": name}
            raise ApiError(400, errors.EXPORT_NOT_RESUMABLE, message, details)
        rows = int(await self.clickhouse.query(count_of(filter_)))
        if rows > self.places.parquet_rows:
            message = (
                f"A Parquet file has at most {self.places.parquet_rows:,} rows and this would have"
                f" {rows:,}: narrow start_time and end_time, or ask for ndjson or csv"
            )
            raise invalid(("query", "format"), "query_too_large", message, "parquet")
        through, as_of = await self.watermark.complete_through(), await self._now()
        query = as_parquet(filter_, as_of)
        pieces = await stack.enter_async_context(self.clickhouse.stream(query))
        return pieces, watermark_headers(through)

    async def _now(self) -> datetime:
        """By the engine's clock, which dates its rows."""
        return _EPOCH + timedelta(milliseconds=int(await self.clickhouse.query(Query(AS_OF, {}))))


async def export_service(request: Request) -> ExportService:
    """The service of this request. Raises RequestValidationError for parameters of no endpoint."""
    check_parameters(request)
    state = request.app.state
    return ExportService(
        *(state.clickhouse, state.watermark, state.limits, state.export_places),
        *(state.cursor_key, request),
    )


Export = Annotated[ExportService, Depends(export_service)]
