"""The OpenAPI document, made without a server, a setting or an engine."""

from functools import cache
from typing import Any

from fastapi.openapi.utils import get_openapi

from activity_api.endpoints.history_routes import router as history
from activity_api.endpoints.routes import router
from activity_api.openapi.examples import EXAMPLES
from activity_api.openapi.headers import ON_STATUS, described

TITLE = "Activity API"
VERSION = "1"
DESCRIPTION = "Reads the request activity of an organisation."
HISTORY = "All of it: in the order in which it came in, as it comes in, or as a file"


@cache
def document() -> dict[str, Any]:
    """As it is served at /openapi.json, and committed as schemas/openapi.json."""
    made = get_openapi(
        title=TITLE,
        version=VERSION,
        description=DESCRIPTION,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        servers=[{"url": "/"}],  # wherever the document comes from
        tags=[{"name": "Activity", "description": "Who did what, newest first, and its sums"}],
        routes=router.routes,
    )
    for path in made["paths"].values():
        for operation in path.values():
            # FastAPI appends its own 422 behind the others.
            responses = operation["responses"] = dict(sorted(operation["responses"].items()))
            for status, names in ON_STATUS.items():
                responses[status]["headers"] = {
                    name: {"$ref": f"#/components/headers/{name}"} for name in names
                }
    made["components"]["headers"] = described()
    for name, examples in EXAMPLES.items():
        made["components"]["schemas"][name]["examples"] = examples
    return made


def add_history(made: dict[str, Any]) -> None:
    """What is more than the contract's 15, in a section of its own: feed, stream and export."""
    more = get_openapi(title=TITLE, version=VERSION, routes=history.routes)
    for path in more["paths"].values():
        for operation in path.values():
            operation["responses"] = dict(sorted(operation["responses"].items()))
    made["paths"] |= more["paths"]
    made["components"]["schemas"] = more["components"]["schemas"] | made["components"]["schemas"]
    made["tags"].append({"name": "History", "description": HISTORY})
