"""For whoever runs the API: is the process alive, and would an answer be right?"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from activity_api.clickhouse.client import TooLargeError, UnavailableError
from activity_api.errors import not_found, unavailable
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_telemetry.exposition import CONTENT_TYPE, is_served_on

router = APIRouter(include_in_schema=False)

# No event has an empty org_id: a page that finds nothing, but with every column of the table.
_NOTHING = first_page(ActivityFilter(org_id=""), limit=1)


@router.get("/healthz")
async def healthz() -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 only when the engine answers a page's query on the migrated table, and the tables are as
    the migrations make them."""
    try:
        await request.app.state.clickhouse.query(_NOTHING)
    except UnavailableError as error:
        return unavailable(error.reason, error.retry_after, error.details).response()
    except TooLargeError:
        return unavailable("The limits do not allow any query", 5).response()
    drift = await request.app.state.schema.drift()
    if drift and request.app.state.is_drift_fatal:
        reason = "The tables are not as this release's migrations make them"
        return unavailable(reason, 60, {"drift": drift}).response()
    return JSONResponse({"status": "ready", **({"drift": drift} if drift else {})})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """For Prometheus: of no organisation, so without a token; 404 where it has a port of its own
    and this is not it."""
    state = request.app.state
    if not is_served_on(request.scope, state.metrics_port):
        return not_found("route", "/metrics").response()
    through = await state.watermark.complete_through()
    state.metrics.complete(through.timestamp() if through else None)
    return Response(state.metrics.page(), headers={"Content-Type": CONTENT_TYPE})
