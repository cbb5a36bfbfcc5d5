"""Legal holds: whose events nobody may forget now."""

import uuid
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.errors import UserError


@dataclass(frozen=True, slots=True)
class Hold:
    """`user_id` '': the whole org. `removed_at` None: it is in force."""

    id: str
    org_id: str
    user_id: str
    reason: str
    added_by: str
    added_at: datetime
    removed_by: str = ""
    removed_at: datetime | None = None

    def __str__(self) -> str:
        return f"{self.id} ({self.reason}, by {self.added_by})"


class Holds:
    """The table `holds`. Everything raises ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def all(self) -> list[Hold]:
        """Also those that were removed; the youngest first."""
        result = await self._client.query(
            f"SELECT {', '.join(_COLUMNS)} FROM holds FINAL"  # noqa: S608 - our own names
            " ORDER BY added_at DESC, id"
        )
        return [Hold(*row) for row in result.result_rows]

    async def in_force(self) -> list[Hold]:
        return [one for one in await self.all() if one.removed_at is None]

    async def check(self, org_id: str, user_id: str) -> None:
        """Raises UserError where something of these may not be erased."""
        for hold in await self.in_force():
            same_user = "" in (hold.user_id, user_id) or hold.user_id == user_id
            if hold.org_id == org_id and same_user:
                raise UserError(
                    f"not erased: legal hold {hold} keeps"
                    f" {f'user {hold.user_id} of ' if hold.user_id else ''}org {org_id};"
                    f" `activity hold remove {hold.id}` ends it"
                )

    async def add(self, org_id: str, user_id: str, reason: str, by: str) -> Hold:
        hold = Hold(uuid.uuid4().hex[:12], org_id, user_id, reason, by, datetime.now(UTC))
        await self._write(hold)
        return hold

    async def remove(self, id_: str, by: str) -> Hold:
        """Raises UserError where there is none; a second time changes nothing."""
        found = [one for one in await self.all() if one.id == id_]
        if not found:
            raise UserError(f"there is no hold {id_!r}; `activity hold list` shows what there is")
        [hold] = found
        if hold.removed_at is None:
            hold = replace(hold, removed_by=by, removed_at=datetime.now(UTC))
            await self._write(hold)
        return hold

    async def _write(self, hold: Hold) -> None:
        row = [getattr(hold, name) for name in _COLUMNS]
        await self._client.insert("holds", [row], _COLUMNS, settings={"async_insert": 0})


_COLUMNS = [field.name for field in fields(Hold)]
