"""Filters of the history endpoints: a list's and a search's by their names, and more."""

import inspect
from dataclasses import replace
from typing import Annotated, Any

from fastapi import Depends, Query

from activity_api.auth.caller import EXPORT, READ, Caller
from activity_api.auth.dependency import CurrentCaller, CurrentExporter, may_see
from activity_api.endpoints.parameters import (
    LeastDuration,
    MostDuration,
    PageRequest,
    Status,
    check_action,
    check_durations,
    page_request,
    success_of,
)
from activity_api.errors import invalid
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.history_filter import (
    NOT,
    PATH_PREFIX,
    STATUS_CODE,
    TEXTS,
    Condition,
    HistoryFilter,
)

_MOST_VALUES = 100
_NAMES = (*TEXTS, STATUS_CODE, PATH_PREFIX)

#: Each may be given more than once: one of the values; with `not_` in front, none of them.
REPEATABLE = frozenset([*_NAMES, *(f"{NOT}{name}" for name in _NAMES)])


def _conditions(**given: list[str] | None) -> tuple[Condition, ...]:
    """Raises RequestValidationError."""
    found = []
    for parameter, values in given.items():
        if not values:
            continue
        if len(values) > _MOST_VALUES:
            message = f"Input should be given {_MOST_VALUES} times at most"
            raise invalid(("query", parameter), "too_many_values", message, values[_MOST_VALUES])
        excluded = parameter.startswith(NOT)
        name = parameter.removeprefix(NOT)
        for value in values:
            _check(parameter, name, value)
        found.append(Condition(name, tuple(sorted(set(values))), excluded))
    return tuple(sorted(found, key=lambda one: one.parameter))


def _check(parameter: str, name: str, value: str) -> None:
    """A value that no event can have is a mistake, and not an empty answer."""
    if name == "action":
        check_action("query", value, parameter)
    if name == STATUS_CODE and not (value.isascii() and value.isdigit() and len(value) == 3):
        message = "Input should be an HTTP status code, 100 to 999"
        raise invalid(("query", parameter), "status_code", message, value)
    if "\x00" in value:
        raise invalid(("query", parameter), "string_pattern", "Input should be text", value)


def _parameter(name: str) -> inspect.Parameter:
    what = "Begin of the path" if name == PATH_PREFIX else name
    words = f"{what}: one of these; may be repeated"
    return _named(name, words)


def _negated(name: str) -> inspect.Parameter:
    what = "begin of the path" if name == PATH_PREFIX else name
    return _named(f"{NOT}{name}", f"Not with this {what}; may be repeated")


def _named(name: str, description: str) -> inspect.Parameter:
    annotation = Annotated[list[str] | None, Query(description=description)]
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, kind, default=None, annotation=annotation)


# One of a kind: FastAPI reads the parameters from the signature.
_conditions.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
    [*map(_parameter, _NAMES), *map(_negated, _NAMES)]
)

Conditions = Annotated[tuple[Condition, ...], Depends(_conditions)]


async def base_request(
    *,
    status: Status = None,
    min_duration_ms: LeastDuration = None,
    max_duration_ms: MostDuration = None,
) -> dict[str, Any]:
    """What is no list of values. Raises RequestValidationError."""
    success = success_of(status)
    check_durations(min_duration_ms, max_duration_ms)
    return {
        "success": success,
        "min_duration_ms": min_duration_ms,
        "max_duration_ms": max_duration_ms,
    }


Base = Annotated[dict[str, Any], Depends(base_request)]


def _filter(
    org_id: str,
    caller: Caller,
    permission: str,
    conditions: tuple[Condition, ...],
    base: dict[str, Any],
) -> HistoryFilter:
    """Raises ApiError (403) where one of the workspaces asked for is not the caller's."""
    for one in conditions:
        if one.name == "workspace_id" and not one.excluded:
            for value in one.values:
                may_see(caller, value, permission)
    of = ActivityFilter(org_id=org_id, workspaces=caller.workspaces, **base)
    return HistoryFilter(of, conditions)


async def read_filter(
    org_id: str, caller: CurrentCaller, conditions: Conditions, base: Base
) -> HistoryFilter:
    """Of feed and stream."""
    return _filter(org_id, caller, READ, conditions, base)


async def export_range(
    start_time: Annotated[str | None, Query(description="ISO timestamp")] = None,
    end_time: Annotated[str | None, Query(description="ISO timestamp")] = None,
) -> PageRequest:
    """The time range, as of a list. Raises RequestValidationError."""
    return await page_request(start_time, end_time, 1, None)


async def export_filter(
    org_id: str,
    caller: CurrentExporter,
    conditions: Conditions,
    base: Base,
    during: Annotated[PageRequest, Depends(export_range)],
) -> HistoryFilter:
    """Of an export."""
    filter_ = _filter(org_id, caller, EXPORT, conditions, base)
    return replace(filter_, base=during.within(filter_.base))


ReadFilter = Annotated[HistoryFilter, Depends(read_filter)]
ExportFilter = Annotated[HistoryFilter, Depends(export_filter)]
