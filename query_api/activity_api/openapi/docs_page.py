"""`/openapi.json`, and `/docs`: Swagger UI as its authors ship it, from here and not from a CDN."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from activity_api.openapi.document import document
from activity_api.static_files import HEADERS, NO_CACHE, add_file, add_files

router = APIRouter(include_in_schema=False)

FOLDER = Path(__file__).parent / "swagger_ui"
#: What the page loads; nothing else of the folder is served.
FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "start.js")


@router.get("/openapi.json")
async def openapi_json() -> Response:
    return JSONResponse(document(), headers=HEADERS)


@router.get("/docs/openapi.json")
async def docs_document() -> Response:
    return JSONResponse(with_bearer(), headers=HEADERS | NO_CACHE)


add_file(router, "/docs", FOLDER / "page.html")
add_files(router, "/docs", FOLDER, FILES)


@cache
def with_bearer() -> dict[str, Any]:
    """The document as such pages need it: by the OpenAPI rules they leave out a header parameter
    called Authorization, and ask for the token of a security scheme instead."""
    made: dict[str, Any] = copy.deepcopy(document())
    for path in made["paths"].values():
        for operation in path.values():
            operation["parameters"] = [
                one for one in operation["parameters"] if one["name"].lower() != "authorization"
            ]
    schemes = {"bearer": {"type": "http", "scheme": "bearer", "description": "A JWT or an API key"}}
    made["components"]["securitySchemes"] = schemes
    made["security"] = [{"bearer": []}]
    return made
