"""The answers as the OpenAPI document shows them: the contract's bodies, word for word."""

from typing import Any

from pydantic import BaseModel

from activity_schemas import errors
from activity_schemas.answers import Activity, ActivityPage, ActivitySummary
from activity_schemas.errors import ErrorResponse

_TIMESTAMP = "2025-01-01T00:00:00.000000"


def _error(
    status: int, description: str, error: str, message: str, details: dict[str, Any]
) -> dict[str, Any]:
    example = {
        "error": error,
        "message": message,
        "details": details,
        "timestamp": _TIMESTAMP,
        "status_code": status,
    }
    return {
        "model": ErrorResponse,
        "description": description,
        "content": {"application/json": {"example": example}},
    }


# 200 and 422 are FastAPI's. 429 and 503 are more than the contract has: a client has to know what
# a limit and an outage look like, and they take nothing from the six that are documented there.
RESPONSES: dict[int | str, dict[str, Any]] = {
    401: _error(401, "Unauthorized", errors.AUTHENTICATION_FAILED, "Authentication required", {}),
    403: _error(
        403,
        "Forbidden",
        errors.FORBIDDEN,
        "You don't have permission to perform this action",
        {"required_permission": "resource:action"},
    ),
    404: _error(
        404,
        "Not Found",
        errors.RESOURCE_NOT_FOUND,
        "The requested resource was not found",
        {"resource_type": "example", "resource_id": "xxx"},
    ),
    429: _error(
        429,
        "Too Many Requests",
        errors.RATE_LIMITED,
        "Too many requests of this organisation: try again in 1 s",
        {"limit": "requests_per_second"},
    ),
    500: _error(
        500,
        "Internal Server Error",
        errors.INTERNAL_SERVER_ERROR,
        "An unexpected error occurred",
        {},
    ),
    503: _error(
        503, "Service Unavailable", errors.SERVICE_UNAVAILABLE, "The event store is away", {}
    ),
}


#: Of the endpoints with a feed's cursor.
CURSOR_REFUSED = _error(
    400,
    "Bad Request",
    errors.CURSOR_EXPIRED,
    "The cursor is older than the 30 days that events are kept: some after it are gone; begin again"
    " without it",
    {"parameter": "after", "days": 30},
)


def _answer(model: type[BaseModel], example: dict[str, Any]) -> dict[str, Any]:
    ok = {"content": {"application/json": {"example": example}}}
    return {"response_model": model, "responses": {200: ok}}


_NUMBERS = {"property1": 0, "property2": 0}
_OTHER_THAN_TEXT: dict[str, Any] = {
    "status_code": 0,
    "success": True,
    "duration_ms": 0,
    "stages_completed": 0,
    "total_stages": 0,
    "token_usage": _NUMBERS,
    "metadata": {},
}

# What a route with a list, and one with a summary, is declared with.
LIST = _answer(
    ActivityPage,
    {
        "total": 0,
        "has_more": False,
        "next_cursor": "string",
        "activities": [
            {name: _OTHER_THAN_TEXT.get(name, "string") for name in Activity.model_fields}
        ],
    },
)
SUMMARY = _answer(
    ActivitySummary,
    {
        "total_requests": 0,
        "successful_requests": 0,
        "failed_requests": 0,
        "avg_duration_ms": 0,
        "total_tokens_used": 0,
        "by_action": _NUMBERS,
        "by_resource": _NUMBERS,
        "start_time": "string",
        "end_time": "string",
    },
)
