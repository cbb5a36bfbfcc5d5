"""`/openapi.json`, and `/docs`: a page of our own that shows it and tries it out.

Not Swagger UI: from a CDN it is blank without the internet, and by the OpenAPI rules it leaves out
a header parameter called Authorization, which here is the one that every request needs.
"""

from pathlib import Path

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse

from activity_api.openapi.document import document

router = APIRouter(include_in_schema=False)

_PAGE = (Path(__file__).parent / "docs.html").read_text(encoding="utf-8")
# The page needs nothing but itself and this API.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'"
)


@router.get("/openapi.json")
async def openapi_json() -> Response:
    return JSONResponse(document())


@router.get("/docs")
async def docs() -> Response:
    return HTMLResponse(_PAGE, headers={"Content-Security-Policy": _POLICY})
