"""What the history endpoints may be asked for beside a list's filters: several values, and none."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from activity_api.queries.filter import ActivityFilter, Parameters

#: Columns of text that may be asked for by their values, in the order of the WHERE.
TEXTS = (
    *("workspace_id", "user_id", "principal_id", "app_id", "endpoint_id", "augmentation_id"),
    *("resource_id", "action", "resource_type", "method", "error_code", "trace_id"),
    "execution_id",
)
STATUS_CODE = "status_code"
PATH_PREFIX = "path_prefix"
#: In front of a name: none of these values.
NOT = "not_"
#: Columns that the table reads out of the event (docs/adr/0016).
_IN_EVENT = frozenset({"trace_id", "execution_id"})

_TYPES = {STATUS_CODE: "Array(UInt16)"}


@dataclass(frozen=True, slots=True)
class Condition:
    """One of `values`, or none of them. `name`: a column, or PATH_PREFIX."""

    name: str
    values: tuple[str, ...]
    excluded: bool = False

    @property
    def parameter(self) -> str:
        return f"{NOT}{self.name}" if self.excluded else self.name

    @property
    def array(self) -> list[str] | list[int]:
        """The values as the statement's parameter."""
        return [*map(int, self.values)] if self.name == STATUS_CODE else list(self.values)

    @property
    def sql(self) -> str:
        placeholder = f"{{{self.parameter}:{_TYPES.get(self.name, 'Array(String)')}}}"
        if self.name == PATH_PREFIX:
            found = f"arrayExists(prefix -> startsWith(path, prefix), {placeholder})"
            return f"NOT {found}" if self.excluded else found
        if self.name in _IN_EVENT and not self.excluded:
            # To look for the text is a tenth of the work of reading JSON. It stands there as it is
            # where nothing is escaped.
            found = f"position(event, '\\\\') > 0 OR multiSearchAny(event, {placeholder})"
            return f"(event = '' OR {found}) AND {self.name} IN {placeholder}"
        return f"{self.name} {'NOT IN' if self.excluded else 'IN'} {placeholder}"


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """`base` has the org, what its reader may see, status, durations, and the time range."""

    base: ActivityFilter
    conditions: tuple[Condition, ...] = ()

    @property
    def org_id(self) -> str:
        return self.base.org_id

    @property
    def is_all(self) -> bool:
        """Every event of the org matches."""
        return self.base.by_key_only and not self.conditions

    @property
    def where(self) -> str:
        """All conditions, but for those on time."""
        return " AND ".join([self.base.where, *self._conditions()])

    @property
    def where_in_time(self) -> str:
        """All conditions."""
        return " AND ".join([self.base.where_in_time, *self._conditions()])

    @property
    def parameters(self) -> Parameters:
        """The values, as ClickHouse reads a query parameter's text."""
        return {**self.base.parameters, **{one.parameter: one.array for one in self.conditions}}

    def fingerprint(self) -> bytes:
        """8 bytes that another filter does not have."""
        text = repr((self.base.fingerprint(), self.conditions))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8]

    def _conditions(self) -> Iterator[str]:
        return (one.sql for one in self.conditions)
