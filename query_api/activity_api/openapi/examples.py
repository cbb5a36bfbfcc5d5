"""Answers as they really come, for the document: the contract's own example of each body is kept
word for word in activity_api.endpoints.examples, so these stand in the schemas."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi.encoders import jsonable_encoder

from activity_api.auth.tokens import READ
from activity_api.endpoints.route import read_query
from activity_api.errors import forbidden, not_found, unauthenticated, unavailable
from activity_api.queries.cursor import NOT_OURS, Cursor
from activity_api.queries.filter import ActivityFilter
from activity_schemas.errors import error_response

_NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)

ACTIVITY: dict[str, Any] = {
    "id": "019cb5e5-1f12-7a3c-9d42-5b1f0c8e7a21",
    "timestamp": "2026-03-04T05:06:07.890123Z",
    "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "user_id": "ann",
    "workspace_id": "search",
    "app_id": "app-7",
    "principal_type": "user",
    "principal_id": "ann",
    "token_id": None,
    "token_type": None,
    "method": "POST",
    "path": "/v1/workspaces/search/apps/app-7/run",
    "resource_type": "app",
    "resource_id": "app-7",
    "action": "execute",
    "status_code": 200,
    "success": True,
    "error_code": None,
    "duration_ms": 182.4,
    "execution_id": "run-81",
    "augmentation_id": None,
    "stages_completed": 3,
    "total_stages": 3,
    "token_usage": {"input": 812, "output": 96},
    "metadata": {"region": "eu-west-1"},
}
_SEALED = Cursor(_NOW, UUID(ACTIVITY["id"]), 1204, _NOW).seal(b"", ActivityFilter(org_id=""))
PAGE = {"total": 1204, "has_more": True, "next_cursor": _SEALED, "activities": [ACTIVITY]}
LAST_PAGE = {"total": 1, "has_more": False, "next_cursor": None, "activities": [ACTIVITY]}
SUMMARY = {
    "total_requests": 1204,
    "successful_requests": 1180,
    "failed_requests": 24,
    "avg_duration_ms": 95.217,
    "total_tokens_used": 48211,
    "by_action": {"read": 1100, "execute": 104},
    "by_resource": {"app": 904, "unknown": 300},
    "start_time": "2026-03-03T05:06:07.890123Z",
    "end_time": "2026-03-04T05:06:07.890123Z",
}


_ERRORS = [
    unauthenticated(),
    forbidden(READ),
    not_found("workspace", "search"),
    unavailable("The event store is away", 1),
]
_REFUSED = [
    read_query(b"user_id=ann", frozenset({"limit"}))[1],
    [{"type": "cursor_invalid", "loc": ["query", "cursor"], "input": "abc"} | {"msg": NOT_OURS}],
]

#: By the name of the schema.
EXAMPLES: dict[str, list[Any]] = {
    "Activity": [ACTIVITY],
    "ActivityPage": [PAGE, LAST_PAGE],
    "ActivitySummary": [SUMMARY],
    "ErrorResponse": [
        error_response(e.status, e.error, e.message, _NOW, e.details).model_dump() for e in _ERRORS
    ],
    "HTTPValidationError": [{"detail": jsonable_encoder(errors)} for errors in _REFUSED],
}
