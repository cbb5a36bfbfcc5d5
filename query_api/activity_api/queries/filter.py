"""What a request asks for: one value, one WHERE for the list, its total and the summary."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

# In the order of the WHERE. All are columns of the table of the same name.
_TEXTS = (
    "org_id",
    "workspace_id",
    "user_id",
    "principal_id",
    "app_id",
    "endpoint_id",
    "augmentation_id",
    "resource_id",
    "action",
    "resource_type",
)
# What each rollup (deploy/activity_deploy/migrations/0001) is grouped by.
_ROLLUPS = {
    "by_org": {"org_id", "action", "resource_type"},
    "by_workspace": {"org_id", "workspace_id", "action", "resource_type"},
    "by_user": {"org_id", "workspace_id", "user_id", "action", "resource_type"},
    "by_endpoint": {
        *("org_id", "workspace_id", "app_id", "endpoint_id", "action", "resource_type"),
    },
    "by_augmentation": {"org_id", "workspace_id", "augmentation_id"},
}
# What the projection `by_duration` holds besides times and numbers.
_BY_DURATION = {"org_id", "workspace_id", "action", "resource_type"}

Parameters = dict[str, str | list[str] | list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityFilter:
    """`org_id` has no default: there is no way to ask for all tenants.

    Durations are milliseconds, both ends inclusive. Times are aware, UTC: `start_time` inclusive,
    `end_time` exclusive. `workspaces`: all that a limited token may see, None without a limit.
    """

    org_id: str
    workspace_id: str | None = None
    user_id: str | None = None
    principal_id: str | None = None
    app_id: str | None = None
    endpoint_id: str | None = None
    augmentation_id: str | None = None
    resource_id: str | None = None
    action: str | None = None
    resource_type: str | None = None
    success: bool | None = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    workspaces: tuple[str, ...] | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None

    @property
    def where(self) -> str:
        """Conditions on everything but time."""
        return " AND ".join(self._conditions())

    @property
    def where_in_time(self) -> str:
        """All conditions, the time range on `timestamp` itself."""
        conditions = [*self._conditions()]
        if self.start_time is not None:
            conditions.append("timestamp >= {start_time:DateTime64(6, 'UTC')}")
        if self.end_time is not None:
            conditions.append("timestamp < {end_time:DateTime64(6, 'UTC')}")
        return " AND ".join(conditions)

    @property
    def parameters(self) -> Parameters:
        """The values, as ClickHouse reads a query parameter's text."""
        values: Parameters = {
            name: value for name in _TEXTS if (value := getattr(self, name)) is not None
        }
        for name in ("success", "min_duration_ms", "max_duration_ms"):
            if (value := getattr(self, name)) is not None:
                values[name] = str(value).lower()
        if self.workspaces is not None:
            # A list: clickhouse_connect renders a tuple as SQL's tuple, which no Array reads.
            values["workspaces"] = list(self.workspaces)
        for name in ("start_time", "end_time"):
            if (value := getattr(self, name)) is not None:
                values[name] = micros(value)
        return values

    @property
    def by_key_only(self) -> bool:
        """Nothing is asked that the table's key does not answer: an org, and a time range."""
        return list(self._conditions()) == ["org_id = {org_id:String}"]

    @property
    def rollups(self) -> list[str]:
        """Those that can answer it, the hours at the edges of the range aside; `success` each has
        as a sum. Where there is none, rows must be read."""
        if self._asks_duration():
            return []
        asked = self._asked()
        return [name for name, known in _ROLLUPS.items() if asked <= known]

    @property
    def by_duration(self) -> bool:
        """Its rows stand together in the projection of that name."""
        return self._asks_duration() and self._asked() <= _BY_DURATION

    def fingerprint(self) -> bytes:
        """8 bytes that another filter does not have."""
        text = json.dumps(asdict(self), default=str, sort_keys=True)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]

    def _asked(self) -> set[str]:
        asked = {name for name in _TEXTS if getattr(self, name) is not None}
        return asked if self.workspaces is None else asked | {"workspace_id"}

    def _asks_duration(self) -> bool:
        return self.min_duration_ms is not None or self.max_duration_ms is not None

    def _conditions(self) -> Iterator[str]:
        for name in _TEXTS:
            if getattr(self, name) is not None:
                yield f"{name} = {{{name}:String}}"
        if self.success is not None:
            yield "success = {success:Bool}"
        if self.min_duration_ms is not None:
            yield "duration_ms >= {min_duration_ms:Float64}"
        if self.max_duration_ms is not None:
            yield "duration_ms <= {max_duration_ms:Float64}"
        if self.workspaces is not None:
            yield "workspace_id IN {workspaces:Array(String)}"


def micros(time: datetime) -> str:
    """An aware time as the text of a DateTime64(6, 'UTC')."""
    return time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
