"""Errors as answers: every one in the documented shape."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from activity_api.responses import NOT_KEPT
from activity_schemas import errors
from activity_schemas.errors import error_response


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


def forbidden(permission: str) -> ApiError:
    """403: the token lacks the permission, or has it for other workspaces only."""
    message = "You don't have permission to perform this action"
    return ApiError(403, errors.FORBIDDEN, message, {"required_permission": permission})


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


def _quotable(text: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else " " for c in text)
