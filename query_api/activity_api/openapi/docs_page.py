"""`/openapi.json`, and `/docs`: Swagger UI as its authors ship it, from here and not from a CDN."""

import copy
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse

from activity_api.openapi.document import add_history, document

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "swagger_ui"
_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
#: What the page loads; nothing else of the folder is served.
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")
# The page needs nothing but its files and this API. `data:` are the icons in Swagger UI's CSS.
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_NO_CACHE = {"Cache-Control": "no-cache"}  # asked for again, and told that it is the same


@router.get("/openapi.json")
async def openapi_json() -> Response:
    return JSONResponse(document(), headers=_HEADERS)


@router.get("/docs")
async def docs() -> Response:
    return HTMLResponse((FOLDER / "page.html").read_bytes(), headers=_HEADERS | _NO_CACHE)


@router.get("/docs/openapi.json")
async def docs_document() -> Response:
    return JSONResponse(with_bearer(), headers=_HEADERS | _NO_CACHE)


@cache
def _read(name: str) -> tuple[bytes, str]:
    body = (FOLDER / name).read_bytes()
    return body, f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def _add(name: str) -> None:
    async def serve(request: Request) -> Response:
        body, etag = _read(name)
        headers = _HEADERS | _NO_CACHE | {"ETag": etag}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)

    router.add_api_route(f"/docs/{name}", serve, methods=["GET"], include_in_schema=False)


for _name in FILES:
    _add(_name)


@cache
def with_bearer() -> dict[str, Any]:
    """The document as such pages need it: by the OpenAPI rules they leave out a header parameter
    called Authorization, and ask for the token of a security scheme instead."""
    made: dict[str, Any] = copy.deepcopy(document())
    add_history(made)
    for path in made["paths"].values():
        for operation in path.values():
            operation["parameters"] = [
                one for one in operation["parameters"] if one["name"].lower() != "authorization"
            ]
    schemes = {"bearer": {"type": "http", "scheme": "bearer", "description": "A JWT or an API key"}}
    made["components"]["securitySchemes"] = schemes
    made["security"] = [{"bearer": []}]
    return made
