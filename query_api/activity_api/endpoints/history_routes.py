"""What leads an org's history out of the house: a feed without gaps, a live tail, an export."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from activity_api.endpoints.examples import CURSOR_REFUSED, RESPONSES
from activity_api.endpoints.export_service import Export, Format
from activity_api.endpoints.history_parameters import REPEATABLE, ExportFilter, ReadFilter
from activity_api.endpoints.history_service import History
from activity_api.endpoints.route import ActivityRoute
from activity_api.queries.feed import MOST
from activity_schemas.answers import FeedPage

_AFTER = Query(
    description="`next_cursor` of the page before, or the `id` of an event; also `beginning`, `now`"
)


class HistoryRoute(ActivityRoute):
    """Takes filters with several values."""

    repeatable = REPEATABLE


router = APIRouter(
    prefix="/v1/orgs/{org_id}/activity",
    tags=["History"],
    responses=RESPONSES,
    route_class=HistoryRoute,
    generate_unique_id_function=lambda route: route.name,
)

_FEED: dict[str, Any] = {"response_model": FeedPage, "responses": {400: CURSOR_REFUSED}}
_STREAM: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        400: CURSOR_REFUSED,
        200: {
            "description": "Events `activity`: `id` is the cursor, `data` an activity as in a list",
            "content": {"text/event-stream": {"schema": {"type": "string"}}},
        },
    },
}
_FILE = {"schema": {"type": "string", "format": "binary"}}
_EXPORT: dict[str, Any] = {
    "response_class": Response,
    "responses": {
        400: CURSOR_REFUSED,
        200: {
            "description": "Oldest first. The last line of NDJSON and CSV has `rows`, `sha256` and"
            " `next_cursor`; without it the answer was cut. Parquet ends with its footer",
            "content": {
                "application/x-ndjson": _FILE,
                "text/csv": _FILE,
                "application/vnd.apache.parquet": _FILE,
            },
        },
    },
}


@router.get("/feed", **_FEED)
async def get_activity_feed(
    filter_: ReadFilter,
    history: History,
    after: Annotated[str | None, _AFTER] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 200,
) -> Response:
    return await history.page(filter_, after, limit)


@router.get("/stream", **_STREAM)
async def get_activity_stream(
    filter_: ReadFilter, history: History, after: Annotated[str | None, _AFTER] = None
) -> Response:
    return await history.stream(filter_, after)


@router.get("/export", **_EXPORT)
async def export_activity(
    filter_: ExportFilter,
    export: Export,
    form: Annotated[Format, Query(alias="format")] = "ndjson",
    limit: Annotated[int | None, Query(ge=1, description="Rows at most; all by default")] = None,
    cursor: Annotated[
        str | None, Query(description="`next_cursor` of an export that ended at its limit")
    ] = None,
) -> Response:
    return await export.export(filter_, form, limit, cursor)
