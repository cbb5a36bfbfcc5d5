"""The filter's WHERE, word for word, and that every value is a parameter."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from activity_api.queries.filter import ActivityFilter

START = datetime(2026, 1, 1, tzinfo=UTC)
FULL = ActivityFilter(
    org_id="o",
    workspace_id="w",
    user_id="u",
    principal_id="p",
    app_id="a",
    endpoint_id="e",
    augmentation_id="g",
    resource_id="r",
    action="read",
    resource_type="app",
    success=False,
    min_duration_ms=0.5,
    max_duration_ms=10,
    workspaces=("w", "it's"),
    start_time=START,
    end_time=START + timedelta(days=1),
)


def changed(filter_: ActivityFilter, name: str, value: Any) -> ActivityFilter:
    """The filter with one field of that name."""
    return replace(filter_, **{name: value})


def test_org_is_required() -> None:
    with pytest.raises(TypeError, match="org_id"):
        ActivityFilter()  # type: ignore[call-arg]


def test_where_of_an_org() -> None:
    filter_ = ActivityFilter(org_id="o")
    assert filter_.where == filter_.where_in_time == "org_id = {org_id:String}"
    assert filter_.parameters == {"org_id": "o"}


def test_where_of_everything() -> None:
    assert FULL.where == (
        "org_id = {org_id:String} AND workspace_id = {workspace_id:String}"
        " AND user_id = {user_id:String} AND principal_id = {principal_id:String}"
        " AND app_id = {app_id:String} AND endpoint_id = {endpoint_id:String}"
        " AND augmentation_id = {augmentation_id:String} AND resource_id = {resource_id:String}"
        " AND action = {action:String} AND resource_type = {resource_type:String}"
        " AND success = {success:Bool} AND duration_ms >= {min_duration_ms:Float64}"
        " AND duration_ms <= {max_duration_ms:Float64}"
        " AND workspace_id IN {workspaces:Array(String)}"
    )
    assert FULL.where_in_time == (
        FULL.where + " AND timestamp >= {start_time:DateTime64(6, 'UTC')}"
        " AND timestamp < {end_time:DateTime64(6, 'UTC')}"
    )
    assert set(FULL.parameters) == {field.name for field in fields(FULL)}
    assert FULL.parameters["success"] == "false"
    assert FULL.parameters["workspaces"] == ["w", "it's"]
    assert FULL.parameters["start_time"] == "2026-01-01 00:00:00.000000"


def test_times_are_utc_in_parameters() -> None:
    east = START.astimezone(timezone(timedelta(hours=5)))
    assert ActivityFilter(org_id="o", start_time=east).parameters["start_time"] == (
        "2026-01-01 00:00:00.000000"
    )


def test_what_key_and_rollups_can_answer() -> None:
    org = ActivityFilter(org_id="o")
    assert org.by_key_only
    assert replace(org, start_time=START).by_key_only
    assert not replace(org, workspaces=("w",)).by_key_only
    for name, rollups in (
        ("action", ["by_org", "by_workspace", "by_user", "by_endpoint"]),
        ("resource_type", ["by_org", "by_workspace", "by_user", "by_endpoint"]),
        ("success", ["by_org", "by_workspace", "by_user", "by_endpoint", "by_augmentation"]),
        ("workspace_id", ["by_workspace", "by_user", "by_endpoint", "by_augmentation"]),
        ("workspaces", ["by_workspace", "by_user", "by_endpoint", "by_augmentation"]),
        ("user_id", ["by_user"]),
        ("app_id", ["by_endpoint"]),
        ("endpoint_id", ["by_endpoint"]),
        ("principal_id", []),
        ("augmentation_id", ["by_augmentation"]),
        ("resource_id", []),
        ("min_duration_ms", []),
        ("max_duration_ms", []),
    ):
        narrowed = changed(org, name, 1)
        assert narrowed.rollups == rollups
        assert not narrowed.by_key_only
    slow = replace(org, workspace_id="w", min_duration_ms=1.0)
    assert slow.by_duration
    assert replace(slow, success=False, action="read").by_duration
    assert not replace(slow, user_id="u").by_duration
    assert not org.by_duration
    # No rollup is grouped by both.
    assert replace(org, user_id="u", app_id="a").rollups == []


def test_fingerprints_differ_in_every_field() -> None:
    prints = {FULL.fingerprint()}
    for field in fields(FULL):
        # The values of another type would be equal as text.
        other = "other" if field.name == "org_id" else None
        prints.add(changed(FULL, field.name, other).fingerprint())
    assert len(prints) == len(fields(FULL)) + 1
    assert replace(FULL).fingerprint() == FULL.fingerprint()
