"""One process migrates a database at a time."""

import asyncio
import os
import socket
import sys
import uuid
from typing import Self

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from activity_deploy.migration_files import MigrationError

# Renewed every third of it, also while one statement takes for hours.
_LEASE_MS = 30_000
_POLL_S = 0.2
_SAY_AFTER_S = 5.0
_EXISTS, _UNKNOWN_TABLE = 57, 60
_NAME = "schema_migrations_lock"


class MigrationLock:
    """A table that only one can create. Its comment says until when it counts, by the engine's
    clock, and whose it is: a process that was killed is waited for until then."""

    def __init__(self, client: AsyncClient, database: str) -> None:
        self._client = client
        self._inside = {"database": database}
        self._holder = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Waits while another process migrates. Raises ClickHouseError."""
        waited = 0.0
        while not await self._take():
            if waited <= _SAY_AFTER_S < waited + _POLL_S:
                print("migrate: waiting for another process that migrates", file=sys.stderr)
            waited += _POLL_S
            await asyncio.sleep(_POLL_S)
        self._renewing = asyncio.create_task(self._renew())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
            await asyncio.wait((self._renewing,))
        if (await self._comment()).endswith(self._holder):
            await self._command(f"DROP TABLE IF EXISTS {_NAME} SYNC")

    def check(self) -> None:
        """Raises MigrationError where the lock could not be kept."""
        if self._renewing is not None and self._renewing.done():
            raise MigrationError(
                "the lock was lost: ClickHouse was away for too long; run it again"
            )

    async def _take(self) -> bool:
        comment = await self._new_comment()
        try:
            await self._command(
                f"CREATE TABLE {_NAME} (nothing UInt8) ENGINE = MergeTree ORDER BY tuple()"
                f" COMMENT '{comment}'"
            )
            return True
        except DatabaseError as error:
            if error.code != _EXISTS:
                raise
        found = await self._comment()
        if found and int(found.split()[0]) < await self._now_ms():
            await self._remove(found)
        return False

    async def _remove(self, expired: str) -> None:
        """Renamed first, which only one can do: and only what has expired is dropped."""
        aside = f"{_NAME}_{uuid.uuid4().hex}"
        try:
            await self._command(f"RENAME TABLE {_NAME} TO {aside}")
        except DatabaseError as error:
            if error.code == _UNKNOWN_TABLE:
                return  # another one was faster
            raise
        if await self._comment(aside) != expired:
            await self._command(f"RENAME TABLE {aside} TO {_NAME}")
            return
        await self._command(f"DROP TABLE {aside} SYNC")

    async def _renew(self) -> None:
        last = await self._now_ms()
        while True:
            await asyncio.sleep(_LEASE_MS / 3000)
            try:
                comment = await self._new_comment()
                await self._command(f"ALTER TABLE {_NAME} MODIFY COMMENT '{comment}'")
                last = int(comment.split()[0]) - _LEASE_MS
            except ClickHouseError:
                if await self._now_ms() - last > _LEASE_MS:
                    return

    async def _new_comment(self) -> str:
        return f"{await self._now_ms() + _LEASE_MS} {self._holder}"

    async def _comment(self, table: str = _NAME) -> str:
        result = await self._client.query(
            "SELECT comment FROM system.tables WHERE database = currentDatabase()"
            " AND name = {t:String}",
            {"t": table},
            settings=self._inside,
        )
        return str(result.result_rows[0][0]) if result.result_rows else ""

    async def _now_ms(self) -> int:
        result = await self._client.query("SELECT toUnixTimestamp64Milli(now64(3))")
        return int(result.result_rows[0][0])

    async def _command(self, sql: str) -> None:
        await self._client.command(sql, settings=self._inside)
