"""A migration that is cut off, or runs twice at once, or meets a table full of data."""

import asyncio
from datetime import UTC, datetime

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from activity_deploy.migration_files import Migration, MigrationError, read, statements
from activity_deploy.migration_lock import MigrationLock
from activity_deploy.migration_run import describe, drift, migrate
from activity_schemas.tables import to_json
from tests.support.clickhouse import connect

TWO_STEPS = Migration(
    1,
    "two",
    "CREATE TABLE one (a UInt8) ENGINE = Memory; CREATE TABLE two (a UInt8) ENGINE = Memory",
)
#: Of the first schema: what an emitter of that time sent.
_OLD_ROWS = """
INSERT INTO events (id, timestamp, org_id, user_id, action, resource_type, status_code, duration_ms,
    token_usage, producer_id, seq, _topic, _partition, _offset, _base_offset, _lease)
SELECT generateUUIDv7(), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + number * 3600,
    concat('org', toString(number % 3)), 'ann', 'execute', 'endpoint', 200, 1.5,
    map('total', 7), 'p', number, 't', 0, number, 0, now64(3) + 3600
FROM numbers(500)
"""


async def names(client: AsyncClient, database: str) -> list[str]:
    sql = (
        "SELECT name FROM system.tables WHERE database = {d:String}"
        " AND name IN ('one', 'two', 'three')"
    )
    return sorted(name for (name,) in (await client.query(sql, {"d": database})).result_rows)


class CutOff:
    """A client that is killed at a statement: before it, or when it has been run and nobody has
    heard of it."""

    def __init__(self, client: AsyncClient, words: str, *, after: bool) -> None:
        self._client, self._words, self._after = client, words, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    async def command(self, sql: str, **more: object) -> object:
        if self._words in sql:
            if self._after:
                await self._client.command(sql, **more)  # type: ignore[arg-type]
            raise KeyboardInterrupt
        return await self._client.command(sql, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("words", ["TABLE one", "TABLE two"])
async def test_a_run_that_was_cut_off_is_gone_on_with(
    words: str, after: bool, unbound: AsyncClient, fresh: str
) -> None:
    killed = CutOff(unbound, words, after=after)
    with pytest.raises(KeyboardInterrupt):
        await migrate(killed, fresh, [TWO_STEPS])  # type: ignore[arg-type]
    assert await migrate(unbound, fresh, [TWO_STEPS]) == ["0001_two"]
    assert await names(unbound, fresh) == ["one", "two"]


class CutOffEach(CutOff):
    """Killed after each statement of the migrations, once."""

    def __init__(self, client: AsyncClient) -> None:
        super().__init__(client, "", after=True)
        self._left = {text for migration in read() for text in statements(migration.sql)}

    async def command(self, sql: str, **more: object) -> object:
        done = await self._client.command(sql, **more)  # type: ignore[arg-type]
        if sql in self._left:
            self._left.remove(sql)
            raise KeyboardInterrupt
        return done


async def test_our_own_may_be_cut_off_after_each_statement(
    unbound: AsyncClient, fresh: str
) -> None:
    killed = CutOffEach(unbound)
    while killed._left:
        with pytest.raises(KeyboardInterrupt):
            await migrate(killed, fresh)  # type: ignore[arg-type]
    await migrate(unbound, fresh)
    assert await drift(unbound, fresh) == []


async def test_a_statement_that_was_done_is_not_done_again(
    unbound: AsyncClient, fresh: str
) -> None:
    made = "CREATE TABLE one (a UInt8) ENGINE = MergeTree ORDER BY a; INSERT INTO one VALUES (1)"
    broken = Migration(1, "filled", f"{made}; CREATE TABLE two (a Nothing_) ENGINE = Memory")
    with pytest.raises(MigrationError, match="Unknown data type"):
        await migrate(unbound, fresh, [broken])
    mended = Migration(1, "filled", f"{made}; CREATE TABLE two (a UInt8) ENGINE = Memory")
    assert await migrate(unbound, fresh, [mended]) == ["0001_filled"]
    count = await unbound.query(f"SELECT count() FROM {fresh}.one")
    assert count.result_rows[0][0] == 1


async def test_a_lock_is_waited_for_and_one_of_the_dead_is_taken_over(
    unbound: AsyncClient, fresh: str
) -> None:
    await migrate(unbound, fresh, [])
    async with MigrationLock(unbound, fresh):
        waiting = asyncio.create_task(migrate(unbound, fresh, [TWO_STEPS]))
        # It has to look several times, and may not begin.
        done, _ = await asyncio.wait((waiting,), timeout=1)
        assert not done
        assert await names(unbound, fresh) == []
    assert await waiting == ["0001_two"]
    # As one that was killed leaves it, half a minute later.
    await unbound.command(
        f"CREATE TABLE {fresh}.schema_migrations_lock (nothing UInt8) ENGINE = MergeTree"
        " ORDER BY tuple() COMMENT '1000 dead:1:x'"
    )
    more = [TWO_STEPS, Migration(2, "three", "CREATE TABLE three (a UInt8) ENGINE = Memory")]
    results = await asyncio.gather(*(migrate(unbound, fresh, more) for _ in range(4)))
    assert sorted(results) == [[], [], [], ["0002_three"]]
    left = f"SELECT count() FROM system.tables WHERE database = '{fresh}' AND name LIKE '%lock%'"
    assert (await unbound.query(left)).result_rows == [(0,)]


async def test_only_one_runs_each_statement(
    clickhouse_url: str, unbound: AsyncClient, fresh: str
) -> None:
    counted = Migration(
        1,
        "counted",
        "CREATE TABLE one (a UInt8) ENGINE = MergeTree ORDER BY a; INSERT INTO one VALUES (1)",
    )
    clients = [await connect(clickhouse_url, "default") for _ in range(4)]
    try:
        results = await asyncio.gather(*(migrate(one, fresh, [counted]) for one in clients))
    finally:
        for one in clients:
            await one.close()
    assert sorted(results) == [[], [], [], ["0001_counted"]]
    assert (await unbound.query(f"SELECT count() FROM {fresh}.one")).result_rows == [(1,)]


async def test_from_the_first_schema_to_the_newest_with_data(
    unbound: AsyncClient, fresh: str, clickhouse: AsyncClient, database: str
) -> None:
    inside = {"database": fresh}
    await migrate(unbound, fresh, read()[:1])
    await unbound.command(_OLD_ROWS, settings=inside)
    for number in range(2, len(read()) + 1):  # as releases came, one after the other
        assert len(await migrate(unbound, fresh, read()[:number])) == 1
    assert await drift(unbound, fresh) == []
    upgraded, made = await describe(unbound, fresh), await describe(clickhouse, database)
    assert to_json(upgraded) == to_json(made)
    sums = "SELECT count(), sum(tokens), countIf(success), uniqExact(id) FROM events"
    assert (await unbound.query(sums, settings=inside)).result_rows == [(500, 3500, 500, 500)]
    gaps = await unbound.query("SELECT count() FROM event_gaps", settings=inside)
    assert gaps.result_rows == [(0,)]
    # And it takes what comes now, by the same columns.
    now = datetime.now(UTC)
    await unbound.command(_OLD_ROWS.replace("2026-01-01", f"{now:%Y-%m-%d}"), settings=inside)
    assert (await unbound.query("SELECT count() FROM events", settings=inside)).result_rows == [
        (1000,)
    ]


async def test_an_error_of_the_engine_is_none_of_a_cut_off_run(
    unbound: AsyncClient, fresh: str
) -> None:
    await migrate(unbound, fresh, [])
    await unbound.command(f"CREATE TABLE {fresh}.one (b String) ENGINE = Memory")
    for _ in range(2):  # nor is it one the second time
        with pytest.raises(MigrationError, match="not recorded as applied"):
            await migrate(unbound, fresh, [TWO_STEPS], patience=0)
    with pytest.raises(DatabaseError):
        await unbound.query(f"SELECT a FROM {fresh}.one")
