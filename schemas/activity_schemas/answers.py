"""The API's answers, field by field in the contract's order."""

from typing import Any

from pydantic import BaseModel, Field


class Activity(BaseModel):
    """One event as the API shows it."""

    id: str
    timestamp: str
    trace_id: str | None = None
    user_id: str | None = None
    workspace_id: str | None = None
    app_id: str | None = None
    principal_type: str | None = None
    principal_id: str | None = None
    token_id: str | None = None
    token_type: str | None = None
    method: str
    path: str
    resource_type: str | None = None
    resource_id: str | None = None
    action: str
    status_code: int
    success: bool
    error_code: str | None = None
    duration_ms: float
    execution_id: str | None = None
    augmentation_id: str | None = None
    stages_completed: int | None = None
    total_stages: int | None = None
    token_usage: dict[str, int] = Field(default_factory=dict)
    metadata: dict[str, Any] = Field(default_factory=dict)


class ActivityPage(BaseModel):
    """Newest first. `total` counts the filter's events, not the page's."""

    total: int
    has_more: bool = False
    next_cursor: str | None = None
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
