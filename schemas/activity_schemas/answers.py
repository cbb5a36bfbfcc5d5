"""The API's answers, field by field in the contract's order."""

import sys
from typing import Any

from pydantic import BaseModel

# What a number is shown as that JSON does not have: Infinity, -Infinity, NaN. The consumer accepts
# no such event, so that it stands out.
NOT_FINITE = sys.float_info.max


class Activity(BaseModel):
    """One event as the API shows it. Every field is there; what the event had not is null."""

    id: str
    timestamp: str
    trace_id: str | None
    user_id: str | None
    workspace_id: str | None
    app_id: str | None
    principal_type: str | None
    principal_id: str | None
    token_id: str | None
    token_type: str | None
    method: str
    path: str
    resource_type: str | None
    resource_id: str | None
    action: str
    status_code: int
    success: bool
    error_code: str | None
    duration_ms: float
    execution_id: str | None
    augmentation_id: str | None
    stages_completed: int | None
    total_stages: int | None
    token_usage: dict[str, int]
    metadata: dict[str, Any]


class ActivityPage(BaseModel):
    """Newest first. `total` counts the filter's events, not the page's."""

    total: int
    has_more: bool
    next_cursor: str | None
    activities: list[Activity]


class ActivitySummary(BaseModel):
    """Sums over `[start_time, end_time)`."""

    total_requests: int
    successful_requests: int
    failed_requests: int
    avg_duration_ms: float
    total_tokens_used: int
    by_action: dict[str, int]
    by_resource: dict[str, int]
    start_time: str
    end_time: str


class FeedPage(BaseModel):
    """In the order in which events were settled. `next_cursor` is there always: to go on from, now
    or later. With `has_more` false all that Kafka had accepted by `watermark` was given."""

    activities: list[Activity]
    next_cursor: str
    watermark: str | None
    has_more: bool
