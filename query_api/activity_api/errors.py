"""Errors as answers: every one in the documented shape, none with a stack trace."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from activity_api.auth.caller import READ, KeysUnavailable
from activity_api.clickhouse.client import ClientGone, TooLarge, Unavailable
from activity_api.endpoints.rate_limit import LimitExceeded
from activity_api.responses import NOT_KEPT
from activity_schemas import errors
from activity_schemas.errors import error_response

METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"


class ApiError(Exception):
    """An answer of the documented shape that is not 200."""

    def __init__(
        self,
        status: int,
        error: str,
        message: str,
        details: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error
        self.message = message
        self.details = details
        self.headers = headers

    def response(self) -> Response:
        """The body's `timestamp` is now."""
        body = error_response(
            self.status, self.error, self.message, datetime.now(UTC), self.details
        )
        return JSONResponse(body.model_dump(), self.status, {**NOT_KEPT, **(self.headers or {})})


def unauthenticated(reason: str | None = None) -> ApiError:
    """401. The reason is told where RFC 6750 §3 puts it; the body is the documented one."""
    challenge = "Bearer"
    if reason:
        challenge += f' error="invalid_token", error_description="{_quotable(reason)}"'
    message = "Authentication required"
    headers = {"WWW-Authenticate": challenge}
    return ApiError(401, errors.AUTHENTICATION_FAILED, message, headers=headers)


def forbidden() -> ApiError:
    """403: the token lacks the permission, or has it for other workspaces only."""
    message = "You don't have permission to perform this action"
    return ApiError(403, errors.FORBIDDEN, message, {"required_permission": READ})


def not_found(kind: str, id_: str) -> ApiError:
    """404: not of the caller's org, or never seen in it."""
    message = "The requested resource was not found"
    details = {"resource_type": kind, "resource_id": id_}
    return ApiError(404, errors.RESOURCE_NOT_FOUND, message, details)


def unavailable(message: str, retry_after: int, details: dict[str, Any] | None = None) -> ApiError:
    """503: no right answer can be given now."""
    headers = {"Retry-After": str(retry_after)}
    return ApiError(503, errors.SERVICE_UNAVAILABLE, message, details, headers)


def invalid(
    where: tuple[str, str], kind: str, message: str, value: str | float | None, **context: Any
) -> RequestValidationError:
    """422 in FastAPI's own shape; `where` as in ("query", "limit")."""
    error = {"type": kind, "loc": where, "msg": message, "input": value}
    return RequestValidationError([{**error, "ctx": context} if context else error])


def add_handlers(app: FastAPI) -> None:
    """Answers for whatever a request may raise; 422 is FastAPI's own."""

    @app.exception_handler(ApiError)
    async def api_error(_: Request, error: ApiError) -> Response:
        return error.response()

    @app.exception_handler(Unavailable)
    async def away(_: Request, error: Unavailable) -> Response:
        return unavailable(error.reason, error.retry_after, error.details).response()

    @app.exception_handler(KeysUnavailable)
    async def no_keys(_: Request, __: KeysUnavailable) -> Response:
        return unavailable("The token issuer's keys are out of reach", 5).response()

    @app.exception_handler(LimitExceeded)
    async def limited(_: Request, error: LimitExceeded) -> Response:
        at_once = " at the same time" if error.limit == "concurrent" else ""
        message = (
            f"Too many requests of this organisation{at_once}: try again in {error.retry_after} s"
        )
        details = {"limit": error.limit}
        return ApiError(429, errors.RATE_LIMITED, message, details, error.headers).response()

    @app.exception_handler(TooLarge)
    async def too_large(_: Request, error: TooLarge) -> Response:
        # Not a 503: asking again would cost the same and end the same.
        message = "More would be read than one query may: narrow the time range or the filters"
        detail = {"type": "query_too_large", "loc": ["query"], "msg": message, "input": None}
        return JSONResponse({"detail": [{**detail, "ctx": {"limit": error.limit}}]}, 422)

    @app.exception_handler(ClientGone)
    async def gone(_: Request, __: ClientGone) -> Response:
        return Response(status_code=503)  # nobody reads it

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return not_found("route", request.scope["path"]).response()
        if error.status_code == 405:
            message = "Only GET and HEAD are allowed here: nothing is written through this API"
            headers = {"Allow": "GET, HEAD"}
            return ApiError(405, METHOD_NOT_ALLOWED, message, headers=headers).response()
        raise error

    @app.exception_handler(Exception)
    async def fault(_: Request, __: Exception) -> Response:
        # Starlette raises it again behind this answer, so that the server logs it.
        message = "An unexpected error occurred"
        return ApiError(500, errors.INTERNAL_SERVER_ERROR, message).response()


def _quotable(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else " " for c in text)
