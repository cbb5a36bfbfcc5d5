"""`python -m activity_deploy.migrate`: apply migrations/NNNN_name.sql in order, each once."""

import argparse
import asyncio
import hashlib
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.binding import quote_identifier
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError, OperationalError
from pydantic import ValidationError

from activity_consume.settings import ClickHouseSettings
from activity_deploy.errors import first_line

DIRECTORY = Path(__file__).parent / "migrations"

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?\*/ )
      | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` )
      | (?P<heredoc> \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$ )
      | (?P<end> ; )
      | (?P<text> [^-/'"`$;]+ | . )""",
    re.VERBOSE | re.DOTALL,
)

# ReplacingMergeTree: two migrations at once may both write the same row.
_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    version    UInt32,
    name       String,
    checksum   String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY version
"""


# DUPLICATE_COLUMN, ILLEGAL_COLUMN (add), TABLE_ALREADY_EXISTS, DATABASE_ALREADY_EXISTS: of two
# started at once, the other one has been faster and will record it in a moment.
_IS_THERE = (15, 44, 57, 82)
# TIMEOUT_EXCEEDED, of a lock: two that rename columns of one table at once wait for each other
# (seen with 26.9). The one that gives up first lets the other one go on.
_LOCKED = 159
_LOCK_SECONDS = 5
_ATTEMPTS = 5


class MigrationError(Exception):
    """The migrations cannot be applied; the text says which and why, in one line."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes, in hex."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def label(self) -> str:
        return f"{self.version:04}_{self.name}"


def statements(sql: str) -> Iterator[str]:
    """The statements of a file; a `;` in a comment, a string or a heredoc ends none."""
    part: list[str] = []
    has_code = False
    for token in _TOKEN.finditer(sql + ";"):
        if token.lastgroup == "end":
            if has_code:
                yield "".join(part).strip()
            part, has_code = [], False
            continue
        part.append(token[0])
        has_code = has_code or (token.lastgroup != "comment" and not token[0].isspace())


def read(directory: Path = DIRECTORY) -> list[Migration]:
    """The migrations of a directory, in order. Raises MigrationError for a gap, a double number or
    a name that is not NNNN_name.sql."""
    found: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is called NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(f"{migration.label}: number {expected:04} should come here")
    return found


async def migrate(
    client: AsyncClient,
    database: str,
    migrations: Sequence[Migration] | None = None,
    patience: float = 5.0,
) -> list[str]:
    """Create `database` if it is missing and apply what it does not have; the labels applied.

    `client` may be bound to any database. `patience`: seconds to wait for another process that
    does the same. ClickHouse has no transactions: a file that fails half
    way stays half applied and not recorded, so a file has one statement, or such as may run twice.
    Raises MigrationError, and ClickHouseError where the engine is away.
    """
    wanted = read() if migrations is None else migrations
    await client.command(f"CREATE DATABASE IF NOT EXISTS {quote_identifier(database)}")
    inside = {"database": database}
    await client.command(_TABLE, settings=inside)
    applied = await _applied(client, database)
    _check(wanted, applied, database)
    return [
        migration.label
        for migration in wanted
        if migration.version not in applied and await _apply(client, database, migration, patience)
    ]


async def _run_statements(
    client: AsyncClient, database: str, migration: Migration, patience: float
) -> bool:
    """False: another process has applied it meanwhile."""
    inside = {"database": database, "lock_acquire_timeout": _LOCK_SECONDS}
    for attempt in range(_ATTEMPTS):
        try:
            for statement in statements(migration.sql):
                await client.command(statement, settings=inside)
            break
        except DatabaseError as error:
            if error.code == _LOCKED and await _by_another(client, database, migration, patience):
                return False
            if error.code != _LOCKED or attempt == _ATTEMPTS - 1:
                raise
    return True


async def _apply(client: AsyncClient, database: str, migration: Migration, patience: float) -> bool:
    """False: another process has applied it meanwhile. Raises MigrationError."""
    try:
        if not await _run_statements(client, database, migration, patience):
            return False
    except DatabaseError as error:
        text = f"{migration.label}: {first_line(error)}"
        if error.code in _IS_THERE:
            if await _by_another(client, database, migration, patience):
                return False
            text += " It is not recorded as applied: drop what a run that was cut off has made"
        raise MigrationError(text) from error
    row = [migration.version, migration.name, migration.checksum]
    columns = ["version", "name", "checksum"]
    await client.insert("schema_migrations", [row], columns, settings={"database": database})
    return True


async def _applied(client: AsyncClient, database: str) -> dict[int, tuple[str, str]]:
    """What the database has: version -> (name, checksum)."""
    answer = await client.query(
        "SELECT version, any(name), any(checksum) FROM schema_migrations GROUP BY version",
        settings={"database": database},
    )
    return {version: (name, checksum) for version, name, checksum in answer.result_rows}


def _check(wanted: Sequence[Migration], applied: dict[int, tuple[str, str]], database: str) -> None:
    known = {migration.version: migration for migration in wanted}
    for version, (name, checksum) in sorted(applied.items()):
        label = f"{version:04}_{name}"
        migration = known.get(version)
        if migration is None:
            raise MigrationError(
                f"database {database} has {label}, which is not among the {len(wanted)} known here:"
                " it was migrated by a newer release; run that one"
            )
        if migration.checksum != checksum:
            raise MigrationError(
                f"{migration.label} was changed after it was applied to database {database};"
                " restore the file and write the change as a new migration"
            )


async def _by_another(
    client: AsyncClient, database: str, migration: Migration, patience: float
) -> bool:
    """Whether another process records the migration within `patience` seconds."""
    deadline = time.monotonic() + patience
    while migration.version not in await _applied(client, database):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.05)
    return True


async def _run(settings: ClickHouseSettings) -> list[str]:
    url = urlsplit(settings.url)
    try:
        place = f"{url.hostname}:{url.port}" if url.port else url.hostname
    except ValueError:
        place = None
    if url.scheme not in ("http", "https") or place is None:
        # clickhouse_connect would take such a text for localhost.
        raise MigrationError("ACTIVITY_CLICKHOUSE_URL is not http://host:port or https://...")
    try:
        client = await clickhouse_connect.get_async_client(
            dsn=settings.url,
            interface=url.scheme,
            autogenerate_session_id=False,
            **settings.login(),
        )
    except OperationalError as error:
        raise MigrationError(
            f"no ClickHouse at {place} ({first_line(error)});"
            " start it or set ACTIVITY_CLICKHOUSE_URL"
        ) from error
    try:
        return await migrate(client, settings.database)
    finally:
        await client.close()


def migrate_database() -> int:
    """Migrate the database of the settings, one line for each migration; the exit status."""
    try:
        settings = ClickHouseSettings()
        applied = asyncio.run(_run(settings))
    except (MigrationError, ClickHouseError) as error:
        print(f"migrate: {first_line(error)}", file=sys.stderr)
        return 1
    for label in applied:
        print(f"migrate: applied {label}")
    if not applied:
        print(f"migrate: database {settings.database} is up to date")
    return 0


def main() -> int:
    """`python -m activity_deploy.migrate`; the exit status. `--help` migrates nothing."""
    argparse.ArgumentParser(
        prog="python -m activity_deploy.migrate", description=__doc__
    ).parse_args()
    try:
        return migrate_database()
    except ValidationError as error:
        words = error.errors(include_input=False)[0]["msg"].removeprefix("Value error, ")
        print(f"migrate: {words}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
