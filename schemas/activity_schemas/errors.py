"""The documented error body, and the codes that may stand in it."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

AUTHENTICATION_FAILED = "AUTHENTICATION_FAILED"
FORBIDDEN = "FORBIDDEN"
RESOURCE_NOT_FOUND = "RESOURCE_NOT_FOUND"
RATE_LIMITED = "RATE_LIMITED"
INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"
CURSOR_INVALID = "CURSOR_INVALID"
CURSOR_EXPIRED = "CURSOR_EXPIRED"
EXPORT_NOT_RESUMABLE = "EXPORT_NOT_RESUMABLE"
SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"


class ErrorResponse(BaseModel):
    """What every answer but 2xx and 422 carries; `timestamp` is naive UTC with microseconds."""

    error: str
    message: str
    details: dict[str, Any]
    timestamp: str
    status_code: int


def error_response(
    status_code: int, error: str, message: str, now: datetime, details: dict[str, Any] | None = None
) -> ErrorResponse:
    """The body for one error; `now` is an aware or naive UTC time."""
    stamp = now.replace(tzinfo=None).isoformat(timespec="microseconds")
    return ErrorResponse(
        error=error,
        message=message,
        details=details or {},
        timestamp=stamp,
        status_code=status_code,
    )
