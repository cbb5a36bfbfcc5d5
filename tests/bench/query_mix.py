"""What is asked: lists, searches and summaries of orgs drawn as the events' orgs are."""

import base64
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.queries.filter import ActivityFilter
from activity_api.queries.listing import first_page
from activity_api.queries.query import Query
from activity_api.queries.summary import last_hours, summary_of
from tests.support.query import bearer

# Of a hundred requests; the columns of the event that the filter takes its values from.
_LISTS: dict[str, tuple[int, tuple[str, ...], str]] = {
    "org": (18, (), "/activity"),
    "workspace": (18, ("workspace_id",), "/workspaces/{workspace_id}/activity"),
    "user": (12, ("user_id",), "/users/{user_id}/activity"),
    "app": (8, ("workspace_id", "app_id"), "/workspaces/{workspace_id}/apps/{app_id}/activity"),
    "endpoint": (
        6,
        ("workspace_id", "app_id", "endpoint_id"),
        "/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity",
    ),
    "augmentation": (
        4,
        ("workspace_id", "augmentation_id"),
        "/workspaces/{workspace_id}/augmentations/{augmentation_id}/activity",
    ),
    "action": (
        4,
        ("workspace_id", "action"),
        "/workspaces/{workspace_id}/activity/actions/{action}",
    ),
    "resource": (
        4,
        ("workspace_id", "resource_id"),
        "/workspaces/{workspace_id}/resources/{resource_id}/activity",
    ),
}
_SEARCH = "/workspaces/{workspace_id}/activity/search"
_SEARCHES: dict[str, tuple[int, dict[str, Any], dict[str, str]]] = {
    "errors": (5, {"success": False}, {"status": "error"}),
    "errors of an action": (
        3,
        {"success": False, "action": "delete"},
        {"status": "error", "action": "delete"},
    ),
    "slow": (3, {"min_duration_ms": 1000.0}, {"min_duration_ms": "1000"}),
}
_SUMMARIES: dict[str, tuple[int, tuple[str, ...], str]] = {
    "summary": (8, (), "/activity/summary"),
    "workspace summary": (7, ("workspace_id",), "/workspaces/{workspace_id}/activity/summary"),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, as a path of the API and as the statement behind it."""

    kind: str
    path: str
    headers: dict[str, str]
    query: Query

    def to_api(self, url: str) -> dict[str, Any]:
        """A target of the load generator."""
        header = {name.title(): [value] for name, value in self.headers.items()}
        return {"method": "GET", "url": url + self.path, "header": header}

    def to_engine(self, url: str, database: str) -> dict[str, Any]:
        """The same SQL straight on the engine, with the settings that the API sends."""
        values = {f"param_{name}": value for name, value in self.query.parameters.items()}
        settings = {
            "database": database,
            "readonly": "2",
            "cancel_http_readonly_queries_on_client_close": "1",
            "max_execution_time": "10",
            "max_rows_to_read": "1000000000",
            "max_memory_usage": "1073741824",
        }
        body = base64.b64encode(self.query.sql.encode()).decode()
        return {"method": "POST", "url": f"{url}/?{urlencode(settings | values)}", "body": body}


async def mix(client: AsyncClient, count: int, seed: int = 1) -> list[Asked]:
    """`count` requests, each about an event drawn at random: so orgs come by their size."""
    columns = (
        "org_id, workspace_id, user_id, app_id, endpoint_id, augmentation_id, resource_id, action"
    )
    result = await client.query(
        f"SELECT {columns} FROM events WHERE user_id != '' AND augmentation_id != ''"
        " ORDER BY cityHash64(_offset, {seed:UInt64}) LIMIT {count:UInt32}",
        parameters={"seed": seed, "count": count},
        settings={"optimize_use_projections": 0},
    )
    events = list(result.named_results())
    chance = random.Random(seed)
    weights = {name: one[0] for name, one in {**_LISTS, **_SEARCHES, **_SUMMARIES}.items()}
    kinds = chance.choices(list(weights), list(weights.values()), k=len(events))
    return [asked(kind, event) for kind, event in zip(kinds, events, strict=True)]


def kinds() -> Sequence[str]:
    """All of them, lists first."""
    return [*_LISTS, *_SEARCHES, *_SUMMARIES]


def asked(kind: str, event: dict[str, Any]) -> Asked:
    """A request of this kind about the places of an event."""
    org_id = event["org_id"]
    names: tuple[str, ...]
    if kind in _SEARCHES:
        _, fields, parameters = _SEARCHES[kind]
        names, path = ("workspace_id",), _SEARCH
        suffix = "?" + urlencode(parameters)
    else:
        _, names, path = (_LISTS | _SUMMARIES)[kind]
        fields, suffix = {}, ""
    values = {name: event[name] for name in names}
    of = ActivityFilter(org_id=org_id, **values, **fields)
    if kind in _SUMMARIES:
        query = summary_of(last_hours(of, 24, datetime.now(UTC)))
    else:
        query = first_page(of, 50)
    filled = path.format(**{name: quote(value, safe="") for name, value in values.items()})
    return Asked(kind, f"/v1/orgs/{org_id}{filled}{suffix}", bearer(org_id), query)


def lines(targets: Sequence[dict[str, Any]]) -> bytes:
    """As the load generator reads them."""
    return b"".join(json.dumps(target).encode() + b"\n" for target in targets)
