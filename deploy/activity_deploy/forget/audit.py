"""The table `erasures`: what was forgotten, for whom, when, and how much. The consumers read it."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.scope import Scope

Kind = Literal["erasure", "retention"]
DONE = "done"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A row. Times are aware, UTC; `finished_at` None: it has not come to its end yet."""

    id: str
    kind: Kind
    org_id: str
    user_id: str
    before: datetime
    reason: str
    asked_by: str
    asked_at: datetime
    step: str = "asked"
    finished_at: datetime | None = None
    events: int = 0
    dead_letters: int = 0
    messages: int = 0
    spooled: int = 0

    @classmethod
    def new(cls, kind: Kind, scope: Scope, reason: str, asked_by: str) -> "Erasure":
        id_, now = uuid.uuid4().hex[:12], datetime.now(UTC)
        return cls(id_, kind, scope.org_id, scope.user_id, scope.before, reason, asked_by, now)

    @property
    def scope(self) -> Scope:
        return Scope(self.org_id, self.user_id, self.before)


class Audit:
    """Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def all(self) -> list[Erasure]:
        """The youngest first."""
        result = await self._client.query(
            f"SELECT {', '.join(_COLUMNS)} FROM erasures FINAL"  # noqa: S608 - our own names
            " ORDER BY asked_at DESC, id"
        )
        return [_read(dict(zip(_COLUMNS, row, strict=True))) for row in result.result_rows]

    async def unfinished(self, org_id: str, user_id: str) -> Erasure | None:
        """The last erasure of just these, if it was broken off."""
        of_these = ("erasure", org_id, user_id)
        found = [one for one in await self.all() if (one.kind, one.org_id, one.user_id) == of_these]
        return found[0] if found and found[0].finished_at is None else None

    async def write(self, erasures: Iterable[Erasure]) -> None:
        """Each replaces the row of its id."""
        rows = [[getattr(one, name) for name in _COLUMNS] for one in erasures]
        if rows:
            await self._client.insert("erasures", rows, _COLUMNS, settings={"async_insert": 0})

    async def step(self, erasure: Erasure, step: str, **counts: int) -> Erasure:
        """Written down before it is done. A count never falls: after a kill there is less left than
        there was."""
        most = {name: max(count, getattr(erasure, name)) for name, count in counts.items()}
        erasure = replace(erasure, step=step, **most)
        await self.write([erasure])
        return erasure

    async def finish(self, erasure: Erasure) -> Erasure:
        erasure = replace(erasure, step=DONE, finished_at=datetime.now(UTC))
        await self.write([erasure])
        return erasure


def _read(row: dict[str, Any]) -> Erasure:
    return Erasure(**{name: _aware(value) for name, value in row.items()})


def _aware(value: Any) -> Any:
    """The client's UTC columns may come without their zone."""
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value


_COLUMNS = [field.name for field in fields(Erasure)]
