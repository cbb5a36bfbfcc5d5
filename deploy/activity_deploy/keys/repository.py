"""The table of API keys. Nothing is changed in place: the youngest row of an id counts."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.auth.api_key import ApiKey, new_key

_COLUMNS = (
    "id",
    "hash",
    "org_id",
    "name",
    "permissions",
    "all_workspaces",
    "workspaces",
    "created_at",
    "expires_at",
    "revoked_at",
)
_YOUNGEST = """\
SELECT id, hash, org_id, name, permissions, all_workspaces, workspaces,
       created_at, expires_at, revoked_at
FROM api_keys
WHERE {org_id:String} IN ('', org_id) AND {id:String} IN ('', id)
ORDER BY id, updated_at DESC
LIMIT 1 BY id"""
_USES = "SELECT id, max(used_at) FROM api_key_uses GROUP BY id"


class UnknownKeyError(Exception):
    """There is no key with this id."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A key as it is stored. `workspaces`: None for all. Times are aware, UTC, whole seconds."""

    id: str
    digest: str
    org_id: str
    name: str
    permissions: tuple[str, ...]
    workspaces: tuple[str, ...] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    used_at: datetime | None = None

    def status(self, now: datetime) -> str:
        """active, expired or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


class KeyRepository:
    """`client`: bound to the database of the pipeline. Every method may raise ClickHouseError."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def create(
        self,
        org_id: str,
        name: str,
        permissions: tuple[str, ...],
        workspaces: tuple[str, ...] | None,
        lives: timedelta | None,
    ) -> tuple[str, KeyRecord]:
        """The key's text, which is nowhere but here, and what is stored of it."""
        text = new_key()
        key = ApiKey.parse(text)
        now = datetime.now(UTC).replace(microsecond=0)
        record = KeyRecord(
            id=key.id,
            digest=key.digest,
            org_id=org_id,
            name=name,
            permissions=permissions,
            workspaces=workspaces,
            created_at=now,
            expires_at=None if lives is None else now + lives,
            revoked_at=None,
        )
        await self._insert(record, None)
        return text, record

    async def records(self, org_id: str = "") -> list[KeyRecord]:
        """Of one org, or all; the youngest first."""
        answer = await self._client.query(_USES)
        uses: dict[str, datetime] = {row[0]: row[1] for row in answer.result_rows}
        records = [
            replace(record, used_at=_aware(uses[record.id]) if record.id in uses else None)
            for record in await self._youngest(org_id=org_id, id_="")
        ]
        return sorted(records, key=lambda it: (it.created_at, it.id), reverse=True)

    async def revoke(self, id_: str) -> KeyRecord:
        """For ever; a second time changes nothing. Raises UnknownKeyError."""
        found = await self._youngest(org_id="", id_=id_)
        if not id_ or not found:
            raise UnknownKeyError(f"there is no API key {id_!r}")
        (record,) = found
        if record.revoked_at is None:
            await self._insert(record, datetime.now(UTC).replace(microsecond=0))
        return record

    async def _youngest(self, *, org_id: str, id_: str) -> list[KeyRecord]:
        answer = await self._client.query(_YOUNGEST, parameters={"org_id": org_id, "id": id_})
        return [_record(dict(zip(_COLUMNS, row, strict=True))) for row in answer.result_rows]

    async def _insert(self, record: KeyRecord, revoked_at: datetime | None) -> None:
        row = [
            record.id,
            record.digest,
            record.org_id,
            record.name,
            list(record.permissions),
            record.workspaces is None,
            list(record.workspaces or ()),
            record.created_at,
            record.expires_at,
            revoked_at,
        ]
        await self._client.insert("api_keys", [row], _COLUMNS, settings={"async_insert": 0})


def _record(row: dict[str, Any]) -> KeyRecord:
    return KeyRecord(
        id=row["id"],
        digest=row["hash"],
        org_id=row["org_id"],
        name=row["name"],
        permissions=tuple(row["permissions"]),
        workspaces=None if row["all_workspaces"] else tuple(row["workspaces"]),
        created_at=_aware(row["created_at"]),
        expires_at=row["expires_at"] and _aware(row["expires_at"]),
        revoked_at=row["revoked_at"] and _aware(row["revoked_at"]),
    )


def _aware(time: datetime) -> datetime:
    """The client's UTC columns may come without their zone."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
