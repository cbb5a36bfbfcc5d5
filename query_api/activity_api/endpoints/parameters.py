"""Query parameters in the contract's words, and what a page may be asked for."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query

from activity_api.endpoints.iso_time import parse_iso
from activity_api.errors import invalid
from activity_api.queries.filter import ActivityFilter
from activity_schemas.event import Action

Hours = Annotated[int, Query(ge=1, le=168)]
HoursToLookBack = Annotated[int, Query(ge=1, le=168, description="Hours to look back")]
_Time = Annotated[str | None, Query(description="ISO timestamp")]

# Before and after these no event can be (activity_schemas.event);
# ClickHouse's DateTime64 ends in 2299.
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list. `start_time` inclusive, `end_time` exclusive, aware, UTC."""

    start_time: datetime | None
    end_time: datetime | None
    limit: int
    cursor: str | None

    def within(self, filter_: ActivityFilter) -> ActivityFilter:
        """The filter with this time range."""
        return replace(filter_, start_time=self.start_time, end_time=self.end_time)


async def page_request(
    start_time: _Time = None,
    end_time: _Time = None,
    limit: Annotated[
        int, Query(ge=1, le=200, description="Maximum number of items to return (1-200)")
    ] = 50,
    cursor: Annotated[
        str | None,
        Query(description="Cursor for pagination (from previous response's next_cursor)"),
    ] = None,
) -> PageRequest:
    """Raises RequestValidationError."""
    start, end = _time("start_time", start_time), _time("end_time", end_time)
    if start is not None and end is not None and start > end:
        message = "start_time should not be after end_time"
        where = ("query", "start_time")
        raise invalid(where, "time_range", message, start_time, end_time=end_time)
    return PageRequest(_in_range(start), _in_range(end), limit, cursor)


Page = Annotated[PageRequest, Depends(page_request)]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What a search adds to its workspace. Durations in milliseconds, both ends inclusive."""

    action: str | None
    resource_type: str | None
    user_id: str | None
    success: bool | None
    min_duration_ms: float | None
    max_duration_ms: float | None


Status = Annotated[str | None, Query(description="Filter by status: success, error")]
LeastDuration = Annotated[
    float | None, Query(description="Filter by minimum duration", allow_inf_nan=False)
]
MostDuration = Annotated[
    float | None, Query(description="Filter by maximum duration", allow_inf_nan=False)
]


async def search_request(
    *,
    action: Annotated[
        str | None,
        Query(description="Filter by action: create, read, update, delete, execute, trigger"),
    ] = None,
    resource_type: Annotated[
        str | None,
        Query(description="Filter by resource: workspace, app, endpoint, augmentation, etc."),
    ] = None,
    user_id: Annotated[str | None, Query(description="Filter by user ID")] = None,
    status: Status = None,
    min_duration_ms: LeastDuration = None,
    max_duration_ms: MostDuration = None,
) -> SearchRequest:
    """Raises RequestValidationError."""
    if action is not None:
        check_action("query", action)
    success = success_of(status)
    check_durations(min_duration_ms, max_duration_ms)
    return SearchRequest(
        action=action,
        resource_type=resource_type,
        user_id=user_id,
        success=success,
        min_duration_ms=min_duration_ms,
        max_duration_ms=max_duration_ms,
    )


Search = Annotated[SearchRequest, Depends(search_request)]


def check_action(location: str, action: str, parameter: str = "action") -> None:
    """A word that no event can have is a mistake and not an empty list: 422."""
    if action not in tuple(Action):
        expected = ", ".join(Action)
        message = f"Input should be one of: {expected}"
        raise invalid((location, parameter), "enum", message, action, expected=expected)


def success_of(status: str | None) -> bool | None:
    """What a filter's `status` asks for; None: either. Raises RequestValidationError."""
    if status not in (None, "success", "error"):
        message = "Input should be 'success' or 'error'"
        raise invalid(("query", "status"), "enum", message, status)
    return None if status is None else status == "success"


def check_durations(least: float | None, most: float | None) -> None:
    """Raises RequestValidationError where nothing can be between them."""
    if least is not None and most is not None and least > most:
        message = "min_duration_ms should not be above max_duration_ms"
        where = ("query", "min_duration_ms")
        raise invalid(where, "duration_range", message, least, max_duration_ms=most)


def _time(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_iso(text)
    except (ValueError, OverflowError) as error:
        message = "Input should be an ISO timestamp like 2025-01-31T12:00:00Z"
        where = ("query", name)
        raise invalid(where, "datetime_parsing", message, text, error=str(error)) from None


def _in_range(time: datetime | None) -> datetime | None:
    return None if time is None else min(max(time, _FIRST), _LAST)
