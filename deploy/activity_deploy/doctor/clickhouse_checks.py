"""The engine: version, clock, rights, disk; and whether the tables are as they should be."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.probes import WRITTEN
from activity_consume.settings import ClickHouseSettings
from activity_deploy.doctor.finding import Finding, bounded, broken, ok, skipped, warning
from activity_deploy.doctor.table_checks import ADVICE, CHECKS
from activity_deploy.errors import first_line
from activity_deploy.migration_files import MigrationError
from activity_deploy.migration_run import drift, pending
from activity_deploy.settings import without_secrets

_REACH = "start ClickHouse, or set ACTIVITY_CLICKHOUSE_URL, ..._USER and ..._PASSWORD"
_MIGRATE = "run `activity migrate`"
_OLDEST = (25, 8)
_MOST_SKEW_S = 1.0
_LITTLE_DISK, _NO_DISK = 0.15, 0.05
_READ = ("events", "progress", "api_keys")


@dataclass(frozen=True, slots=True)
class Engine:
    """Bound to no database: that may be the thing that is missing."""

    client: AsyncClient
    database: str

    async def rows(self, sql: str) -> Sequence[Sequence[Any]]:
        """In the database. Raises ClickHouseError."""
        settings = {"database": self.database, "max_execution_time": 8}
        return (await self.client.query(sql, settings=settings)).result_rows


async def check_clickhouse(settings: ClickHouseSettings) -> list[Finding]:
    """All of them, one after the other. Where the engine is away the others are skipped."""
    found: list[Finding] = []
    place = without_secrets(settings.url)

    async def look() -> list[Finding]:
        client = await clickhouse_connect.get_async_client(
            dsn=settings.url,
            **settings.login(),
            autogenerate_session_id=False,
            connect_timeout=3,
            send_receive_timeout=9,
        )
        try:
            engine = Engine(client, settings.database)
            found.extend(await bounded("engine", _REACH, lambda: _version(engine, place)))
            found.extend(await bounded("clock", _REACH, lambda: _clock(engine)))
            found.extend(await bounded("disk", _REACH, lambda: _disk(engine)))
            found.extend(await bounded("schema", _MIGRATE, lambda: _schema(engine)))
            found.extend(await bounded("grants", _MIGRATE, lambda: _grants(engine)))
            for name, check in CHECKS.items():
                found.extend(await bounded(name, ADVICE[name], lambda c=check: c(engine.rows)))  # type: ignore[misc]
        finally:
            await client.close()
        return []

    failed = await bounded("engine", _REACH, look, 60)
    if failed and not found:
        failed = [broken("engine", f"{place}: {failed[0].text}", _REACH)]
        names = ("clock", "disk", "schema", "grants", *CHECKS)
        failed += [skipped(name, "ClickHouse is away") for name in names]
    return found + failed


async def _version(engine: Engine, place: str) -> list[Finding]:
    version = (await engine.client.query("SELECT version()")).result_rows[0][0]
    text = f"{place}: ClickHouse {version}"
    numbers = tuple(int(part) for part in version.split(".")[:2])
    if numbers < _OLDEST:
        return [warning("engine", text, f"use {_OLDEST[0]}.{_OLDEST[1]} or newer")]
    return [ok("engine", text)]


async def _clock(engine: Engine) -> list[Finding]:
    before = time.time()
    asked = await engine.client.query("SELECT toUnixTimestamp64Milli(now64(3))")
    middle = (before + time.time()) / 2
    skew = asked.result_rows[0][0] / 1000 - middle
    # Half of the way there and back is not known.
    if abs(skew) > _MOST_SKEW_S + (time.time() - before) / 2:
        todo = "let NTP set both clocks: leases and Activity-Complete-Through are read by them"
        return [warning("clock", f"the engine's is {skew:+.1f} s from this machine's", todo)]
    return [ok("clock", f"the engine's is {skew:+.2f} s from this machine's")]


async def _disk(engine: Engine) -> list[Finding]:
    sql = "SELECT name, free_space, total_space FROM system.disks WHERE total_space > 0"
    findings = []
    for name, free, total in (await engine.client.query(sql)).result_rows:
        if not 0 < total < 1 << 60:
            continue  # an object store's, which has no end
        text = f"{name}: {free / (1 << 30):.1f} of {total / (1 << 30):.1f} GiB are free"
        todo = "add space, or shorten the retention"
        if free / total < _NO_DISK:
            findings.append(broken("disk", text, todo))
        elif free / total < _LITTLE_DISK:
            findings.append(warning("disk", text, todo))
        else:
            findings.append(ok("disk", text))
    return findings or [ok("disk", "the engine tells of no disk with an end")]


async def _schema(engine: Engine) -> list[Finding]:
    try:
        waiting = await pending(engine.client, engine.database)
    except MigrationError as error:
        return [broken("schema", str(error), "run a release that knows this database")]
    if waiting:
        labels = ", ".join(one.label for one in waiting)
        return [broken("schema", f"database {engine.database} lacks {labels}", _MIGRATE)]
    different = await drift(engine.client, engine.database)
    if different:
        todo = "see docs/runbook.md, ActivitySchemaDrift"
        return [broken("schema", line, todo) for line in different]
    return [ok("schema", f"database {engine.database} is as this release's migrations make it")]


async def _grants(engine: Engine) -> list[Finding]:
    refused = []
    for table, column in WRITTEN.items():
        try:
            await engine.client.command(
                f"INSERT INTO {table} ({column}) SELECT '' WHERE 0",
                settings={"database": engine.database, "async_insert": 0},
            )
        except ClickHouseError as error:
            refused.append(f"INSERT into {table}: {first_line(error)}")
    for table in _READ:
        try:
            await engine.rows(f"SELECT 1 FROM {table} LIMIT 0")  # noqa: S608 - names of ours
        except ClickHouseError as error:
            refused.append(f"SELECT from {table}: {first_line(error)}")
    todo = f"GRANT it on {engine.database}.* to the user of ACTIVITY_CLICKHOUSE_URL"
    if refused:
        return [broken("grants", one, todo) for one in refused]
    user = (await engine.client.query("SELECT currentUser()")).result_rows[0][0]
    tables = ", ".join(dict.fromkeys((*WRITTEN, *_READ)))
    return [ok("grants", f"{user} may read and write {tables}")]
