"""`activity generate`: events made in the engine. People's, to ask questions of; or a whole
platform's load, to measure with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated

import clickhouse_connect
import typer
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.settings import ClickHouseSettings
from activity_deploy.errors import UserError, first_line
from activity_deploy.generate_people import People
from activity_deploy.generated import fill
from activity_deploy.migration_files import MigrationError
from activity_deploy.migration_run import migrate

DAYS = 90
ORGS = 2000
PRODUCER = "generate"
_TIMEOUT_SECONDS = 600
# Zipf with exponent 1.1 over the orgs' ranks, each one the area below x^-1.1 from rank - 1/2 to
# rank + 1/2: so a uniform number becomes a rank without a table. The first org has 18 % of all.
_FIRST, _LAST = 0.5**-0.1, (ORGS + 0.5) ** -0.1

# All numbers come from the row's own number and the seed, so the same call makes the same events,
# in whatever chunks. An org has 50 / sqrt(rank) workspaces, 60 / sqrt(rank) apps with 5 endpoints
# each, 20 augmentations a workspace, and users (200,000) and resources (2 million) by its share of
# the events. An app, an augmentation, a resource is of one workspace.
_SQL = f"""\
WITH
    number + {{base:UInt64}} AS serial,
    arrayMap(salt -> cityHash64({{seed:UInt64}}, serial, salt), range(14)) AS noise,
    arrayMap(x -> x / 18446744073709551616., noise) AS u,
    toUInt16(floor(pow({_FIRST!r} + u[1] * ({_LAST!r} - {_FIRST!r}), -10) + 0.5)) AS rank,
    greatest(1, toUInt32(50 / sqrt(rank))) AS workspaces,
    toUInt32(pow(u[2], 2) * greatest(1, 60 / sqrt(rank))) AS app,
    app % workspaces AS workspace,
    noise[3] % 100 < 95 AS is_user,
    toUInt32(pow(u[4], 2) * greatest(3, 37000 * pow(rank, -1.1))) AS user,
    workspace + workspaces
        * toUInt32(u[5] * greatest(2, 370000 * pow(rank, -1.1) / workspaces)) AS resource,
    multiIf(u[6] < .55, 'read', u[6] < .67, 'create', u[6] < .80, 'update', u[6] < .85, 'delete',
        u[6] < .97, 'execute', 'trigger') AS act,
    act IN ('execute', 'trigger') AS runs,
    toUInt64(number * {{days:Float64}} / {{rows:UInt64}}) AS day,
    -- Of the day's events two fifths at any time, the others around noon.
    toUInt64(86400e6 * if(noise[7] % 5 < 2, u[8], (u[8] + u[9]) / 2)) AS time_of_day,
    {{since:UInt64}} + day * 86400000000 + time_of_day AS arrived,
    -- One in a hundred comes up to three days late. One in fifty is a job of the full hour, one in
    -- ten has a clock of whole seconds: equal times.
    arrived - if(noise[10] % 100 = 0, toUInt64(u[11] * 3 * 86400e6), 0) AS exact,
    multiIf(noise[12] % 50 = 1, 3600000000, noise[12] % 10 = 0, 1000000, 1) AS clock,
    intDiv(exact, clock) * clock AS us,
    fromUnixTimestamp64Micro(toInt64(us), 'UTC') AS at,
    multiIf(u[13] < .90, 200, u[13] < .94, 201, u[13] < .96, 404, u[13] < .98, 422,
        u[13] < .99, 403, u[13] < .995, 429, u[13] < .998, 500, 503) AS status,
    concat('org-', leftPad(toString(rank), 4, '0')) AS org
SELECT
    1 AS schema_version,
    -- A UUIDv7: milliseconds, version, noise | variant, noise.
    reinterpretAsUUID(bitOr(toUInt128(bitOr(bitShiftLeft(intDiv(us, 1000), 16),
            bitOr(28672, bitAnd(noise[14], 4095)))),
        bitShiftLeft(toUInt128(bitOr(bitShiftLeft(toUInt64(2), 62),
            bitShiftRight(noise[12], 2))), 64))) AS id,
    at AS timestamp, org AS org_id, concat('ws-', toString(workspace)) AS workspace_id,
    if(is_user, concat('user-', toString(rank), '-', toString(user)), NULL) AS user_id,
    concat('app-', toString(app)) AS app_id,
    concat('ep-', toString(app), '-', toString(noise[4] % 5)) AS endpoint_id,
    hex(noise[5]) AS trace_id,
    if(is_user, 'user', 'service') AS principal_type,
    if(is_user, concat('user-', toString(rank), '-', toString(user)),
        concat('svc-', toString(app))) AS principal_id,
    concat('tok-', toString(user % 1000)) AS token_id,
    if(is_user, 'session', 'api_key') AS token_type,
    transform(act, ['read', 'update', 'delete'], ['GET', 'PATCH', 'DELETE'], 'POST') AS method,
    concat('/v1/workspaces/ws-', toString(workspace), '/apps/app-', toString(app), '/',
        toString(resource)) AS path,
    transform(noise[2] % 4, [0, 1, 2], ['app', 'endpoint', 'document'], 'workspace')
        AS resource_type,
    concat('res-', toString(rank), '-', toString(resource)) AS resource_id,
    act AS action, status AS status_code,
    if(status < 400, NULL, concat('E', toString(status))) AS error_code,
    round(5 * pow(1 - u[9], -0.7), 3) AS duration_ms,
    if(runs, hex(noise[6]), NULL) AS execution_id,
    if(runs, concat('aug-', toString(workspace), '-', toString(toUInt8(pow(u[3], 3) * 20))), NULL)
        AS augmentation_id,
    if(runs, 3, NULL) AS stages_completed, if(runs, 3, NULL) AS total_stages,
    if(runs, map('input', noise[1] % 2000, 'output', noise[2] % 500), map()) AS token_usage,
    '{PRODUCER}' AS producer_id, serial AS seq,
    if(noise[8] % 10 = 0, '{{"region":"eu-1","attempt":1}}', '{{}}') AS metadata,
    serial AS place, intDiv(arrived, 1000) + 300 AS arrived_ms"""


class Shape(StrEnum):
    """people: sessions, cohorts, models of 40 orgs. load: 2,000 orgs of very different sizes."""

    PEOPLE = "people"
    LOAD = "load"


Rows = Annotated[int, typer.Option(min=1, help="How many events.")]
Database = Annotated[str | None, typer.Option(help="By default ACTIVITY_CLICKHOUSE_DATABASE.")]
Beside = Annotated[
    bool, typer.Option("--beside-others", help="Also into a table that holds real events.")
]
Seed = Annotated[int, typer.Option(min=0, help="Another seed, other events.")]
Shaped = Annotated[Shape, typer.Option(help="To ask questions of, or to measure with.")]


@dataclass(frozen=True, slots=True)
class Platform:
    """`rows` events of the 90 days before `until` (aware, UTC), of 2,000 orgs and 200,000 users."""

    rows: int
    until: datetime
    seed: int = 1
    #: The first event's number; another call goes on after the last one's, so no event comes twice.
    base: int = 0

    async def insert(self, client: AsyncClient) -> AsyncIterator[int]:
        """Into the client's database; yields how many more are in."""
        since = self.until - timedelta(days=DAYS)
        values = {
            "seed": self.seed,
            "days": float(DAYS),
            "since": int(since.timestamp()) * 1_000_000,
        }
        async for count in fill(client, _SQL, self.rows, self.base, values):
            yield count


def org(uniform: float) -> str:
    """The org of a number in [0, 1), drawn as the events' orgs are."""
    rank = int((_FIRST + uniform * (_LAST - _FIRST)) ** -10 + 0.5)
    return f"org-{rank:04}"


def generate(
    rows: Rows,
    database: Database = None,
    seed: Seed = 1,
    beside: Beside = False,
    shape: Shaped = Shape.PEOPLE,
) -> None:
    """Fill the table with realistic events, straight in the engine: 10 million take minutes.

    A further call adds further events. A table that holds anybody else's is left alone.
    """
    settings = ClickHouseSettings()
    until = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    try:
        platform = (People if shape is Shape.PEOPLE else Platform)(rows, until, seed)
        asyncio.run(_run(settings, database or settings.database, platform, beside=beside))
    except (ClickHouseError, MigrationError) as error:
        raise UserError(f"no events generated: {first_line(error)}") from None


async def _run(
    settings: ClickHouseSettings, database: str, platform: Platform | People, *, beside: bool
) -> None:
    async with await _connect(settings, "default") as client:
        await migrate(client, database)
    async with await _connect(settings, database) as client:
        if not beside and (others := await _events_of_others(client)):
            raise UserError(
                f"database {database} holds {others:,} events that `generate` did not make; name"
                " another with --database, or add to them with --beside-others"
            )
        platform = replace(platform, base=await _next_number(client))
        with typer.progressbar(length=platform.rows, label=f"{platform.rows:,} events") as bar:
            async for count in platform.insert(client):
                bar.update(count)


async def _events_of_others(client: AsyncClient) -> int:
    """How many events are not generated ones."""
    result = await client.query("SELECT count() FROM events WHERE _topic != 'generated'")
    return int(result.result_rows[0][0])


async def _next_number(client: AsyncClient) -> int:
    """The number after the last generated event's."""
    result = await client.query(
        "SELECT if(count() = 0, 0, max(_offset) + 1) FROM events WHERE _topic = 'generated'"
    )
    return int(result.result_rows[0][0])


async def _connect(settings: ClickHouseSettings, database: str) -> AsyncClient:
    return await clickhouse_connect.get_async_client(
        dsn=settings.url,
        database=database,
        **settings.login(),
        autogenerate_session_id=False,
        send_receive_timeout=_TIMEOUT_SECONDS,
        query_retries=0,
    )
