"""Which statements of a migration were run: a run that was cut off is gone on with."""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

# DUPLICATE_COLUMN, ILLEGAL_COLUMN (add), TABLE_ALREADY_EXISTS, DATABASE_ALREADY_EXISTS: a run that
# was cut off has got so far, or another one that takes no lock.
IS_THERE = (15, 44, 57, 82)

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migration_steps
(
    version   UInt32 COMMENT 'The migration''s number',
    statement UInt16 COMMENT 'The statement''s number in it, from 0',
    checksum  String COMMENT 'SHA-256 of the statement, in hex',
    state     Enum8('begun' = 1, 'done' = 2, 'failed' = 3) COMMENT 'The latest counts',
    at        DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When'
)
ENGINE = MergeTree
ORDER BY (version, statement, at)
COMMENT 'Which statements of a migration were run, so that one that was cut off is gone on with.'
"""


_MAY_RUN_TWICE = re.compile(r"\b(IF (NOT )?EXISTS|OR REPLACE|MODIFY COLUMN)\b", re.IGNORECASE)
_ONLY_ONCE = re.compile(r"\bRENAME COLUMN\b", re.IGNORECASE)


class Steps:
    """Of one database, but for statements that may run twice. A statement is known by its text: one
    that was mended runs anew."""

    def __init__(self, client: AsyncClient, database: str) -> None:
        self._client = client
        self._inside = {"database": database}
        self._states: dict[tuple[int, int, str], str] = {}

    @classmethod
    async def of(cls, client: AsyncClient, database: str) -> "Steps":
        """Raises ClickHouseError."""
        steps = cls(client, database)
        await client.command(_TABLE, settings=steps._inside)
        result = await client.query(
            "SELECT version, statement, checksum, toString(argMax(state, (at, state)))"
            " FROM schema_migration_steps GROUP BY version, statement, checksum",
            settings=steps._inside,
        )
        steps._states = {(v, n, checksum): state for v, n, checksum, state in result.result_rows}
        return steps

    @asynccontextmanager
    async def step(self, version: int, number: int, statement: str) -> AsyncIterator[bool]:
        """A statement runs in here, if it is still to be done. That its result is there already is
        no error where a former run has begun it."""
        if _MAY_RUN_TWICE.search(statement) and not _ONLY_ONCE.search(statement):
            yield True
            return
        checksum = hashlib.sha256(statement.encode()).hexdigest()
        before = self._states.get((version, number, checksum))
        if before == "done":
            yield False
            return
        await self._record(version, number, checksum, "begun")
        try:
            yield True
        except DatabaseError as error:
            if not (before == "begun" and error.code in IS_THERE):
                if error.code is not None:  # it has answered: nothing was cut off
                    await self._record(version, number, checksum, "failed")
                raise
        await self._record(version, number, checksum, "done")

    async def _record(self, version: int, number: int, checksum: str, state: str) -> None:
        row = [version, number, checksum, state]
        columns = ["version", "statement", "checksum", "state"]
        await self._client.insert("schema_migration_steps", [row], columns, settings=self._inside)
