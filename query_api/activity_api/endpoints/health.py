"""For whoever runs the API: is the process alive, and would an answer be right?"""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from activity_api.clickhouse.client import TooLargeError, UnavailableError
from activity_api.errors import unavailable
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page

router = APIRouter(include_in_schema=False)

# No event has an empty org_id: a page that finds nothing, but with every column of the table.
_NOTHING = first_page(ActivityFilter(org_id=""), limit=1)


@router.get("/healthz")
async def healthz() -> Response:
    """200 as long as the process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """200 only when the engine answers a page's query on the migrated table."""
    try:
        await request.app.state.clickhouse.query(_NOTHING)
    except UnavailableError as error:
        return unavailable(error.reason, error.retry_after, error.details).response()
    except TooLargeError:
        return unavailable("The limits do not allow any query", 5).response()
    return JSONResponse({"status": "ready"})
