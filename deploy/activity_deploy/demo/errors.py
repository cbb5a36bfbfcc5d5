"""The documented error body, for whatever goes wrong."""

from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from activity_schemas.errors import INTERNAL_SERVER_ERROR, RESOURCE_NOT_FOUND, error_response

CONFLICT = "CONFLICT"


class RefusalError(Exception):
    """An answer that is not the one asked for; fields as in the error body."""

    def __init__(self, status_code: int, error: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.error = error
        self.details = details


def not_found(kind: str, name: str) -> RefusalError:
    """404, the same for what does not exist and for what belongs to another org."""
    text = "The requested resource was not found"
    return RefusalError(404, RESOURCE_NOT_FOUND, text, resource_type=kind, resource_id=name)


def add_error_handlers(app: FastAPI) -> None:
    """422 stays FastAPI's own."""

    @app.exception_handler(RefusalError)
    async def refused(_: Request, error: RefusalError) -> JSONResponse:
        return _answer(error.status_code, error.error, str(error), error.details)

    @app.exception_handler(HTTPException)
    async def framework(_: Request, error: HTTPException) -> JSONResponse:
        name = RESOURCE_NOT_FOUND if error.status_code == 404 else "METHOD_NOT_ALLOWED"
        return _answer(error.status_code, name, str(error.detail), {})

    @app.exception_handler(Exception)
    async def unexpected(_: Request, __: Exception) -> JSONResponse:
        return _answer(500, INTERNAL_SERVER_ERROR, "An unexpected error occurred", {})


def _answer(status_code: int, error: str, message: str, details: dict[str, Any]) -> JSONResponse:
    body = error_response(status_code, error, message, datetime.now(UTC), details)
    return JSONResponse(body.model_dump(), status_code)
