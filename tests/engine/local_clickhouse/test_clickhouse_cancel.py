"""Queries that take long: they are seen, they can be stopped, and they stop by themselves."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.support.clickhouse import connect
from tests.support.wait import wait_until

ENDLESS = "SELECT count() FROM numbers(10000000000000) WHERE NOT ignore(sipHash64(number))"
SLOW_TABLE = (
    "CREATE TABLE slow (n UInt32, CONSTRAINT slow CHECK sleepEachRow(0.001) = 0)"
    " ENGINE = MergeTree ORDER BY n"
)
# Small blocks: an insert that is stopped half way has written some of them.
SLOW_INSERT = {"max_insert_block_size": 10, "min_insert_block_size_rows": 1}
SLOW_INSERT |= {"input_format_parallel_parsing": 0, "max_block_size": 10}


class Watched:
    """A query with a mark of its own by which `system.processes` shows it."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self.settings = {"log_comment": uuid.uuid4().hex, "max_threads": 1}

    async def queries(self) -> list[str]:
        """What runs under the mark."""
        result = await self._client.query(
            "SELECT query FROM system.processes WHERE Settings['log_comment'] = {mark:String}"
            " AND query_kind != 'KillQuery'",
            {"mark": self.settings["log_comment"]},
        )
        return [query for (query,) in result.result_rows]

    async def count(self, count: int) -> None:
        """Returns when so many run."""

        async def reached() -> bool:
            return len(await self.queries()) == count

        await wait_until(reached, 30, f"{count} queries are running")

    async def kill(self) -> None:
        mark = self.settings["log_comment"]
        await self._client.command(f"KILL QUERY WHERE Settings['log_comment'] = '{mark}' ASYNC")


@pytest.fixture
async def watched(clickhouse: AsyncClient) -> AsyncIterator[Watched]:
    query = Watched(clickhouse)
    yield query
    await query.kill()
    await query.count(0)


async def test_kill_query(clickhouse: AsyncClient, watched: Watched) -> None:
    task = asyncio.create_task(clickhouse.query(ENDLESS, settings=watched.settings))
    await watched.count(1)
    await watched.kill()
    with pytest.raises(DatabaseError) as caught:
        await task
    assert caught.value.code == 394


async def test_a_running_insert_is_seen_and_a_killed_one_does_not_say_it_is_done(
    clickhouse: AsyncClient, watched: Watched
) -> None:
    await clickhouse.command(SLOW_TABLE)
    body = b"".join(b"%d\n" % n for n in range(60_000))
    insert = clickhouse.raw_insert(
        "slow", ["n"], body, settings=SLOW_INSERT | watched.settings, fmt="TSV"
    )
    task = asyncio.create_task(insert)
    await watched.count(1)
    (query,) = await watched.queries()
    assert query.startswith("INSERT INTO slow")
    await watched.kill()
    with pytest.raises(DatabaseError) as caught:
        await task
    assert caught.value.code == 394


async def test_max_execution_time(clickhouse: AsyncClient) -> None:
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.query(ENDLESS, settings={"max_execution_time": 0.2})
    assert caught.value.code == 159


async def test_an_insert_over_its_time_does_not_say_it_is_done(clickhouse: AsyncClient) -> None:
    await clickhouse.command(SLOW_TABLE)
    body = b"".join(b"%d\n" % n for n in range(60_000))
    with pytest.raises(DatabaseError) as caught:
        await clickhouse.raw_insert(
            "slow", ["n"], body, settings=SLOW_INSERT | {"max_execution_time": 0.3}, fmt="TSV"
        )
    assert caught.value.code == 159


async def test_a_client_that_leaves_stops_its_query(
    clickhouse: AsyncClient, watched: Watched
) -> None:
    task = asyncio.create_task(clickhouse.query(ENDLESS, settings=watched.settings))
    await watched.count(1)
    task.cancel()
    await watched.count(0)


async def test_a_session_runs_one_query_at_a_time(
    clickhouse_url: str, clickhouse: AsyncClient, watched: Watched
) -> None:
    session = {"session_id": uuid.uuid4().hex}
    task = asyncio.create_task(clickhouse.query(ENDLESS, settings=watched.settings | session))
    await watched.count(1)
    async with await connect(clickhouse_url, "default") as other:
        with pytest.raises(DatabaseError) as caught:
            await other.query("SELECT 1", settings=session)
    assert caught.value.code == 373
    await watched.kill()
    with pytest.raises(DatabaseError):
        await task


async def test_slow_queries_do_not_hold_up_fast_ones(
    clickhouse: AsyncClient, watched: Watched
) -> None:
    slow = [clickhouse.query(ENDLESS, settings=watched.settings) for _ in range(2)]
    tasks = [asyncio.create_task(query) for query in slow]
    await watched.count(2)
    assert (await clickhouse.query("SELECT 1")).result_rows == [(1,)]
    await watched.kill()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(error, "code", None) for error in results] == [394, 394]
