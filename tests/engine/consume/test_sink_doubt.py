"""Inserts without an answer, that still run, or that come late: what the sink says of them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from urllib.parse import urlsplit

import clickhouse_connect
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.errors import InsertError, InsertFailure
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.native_block import COLUMNS, native_block
from activity_deploy.process.ports import free_ports
from tests.chaos.protocols import INSERT_APPLIED, INSERT_SENT, ClickHouseWire
from tests.chaos.proxy import Connection, Proxy, Trap
from tests.support.records import row
from tests.support.wait import wait_until

SOURCE, OTHER = TopicPartition("events", 3), TopicPartition("events", 30)
ROWS = [row(1), row(2)]


@pytest.fixture
async def proxy(clickhouse_url: str) -> AsyncIterator[tuple[Proxy, int]]:
    """Between the sink and the engine, and its port."""
    [port] = free_ports(1)
    proxy = Proxy(lambda: urlsplit(clickhouse_url).port or 8123, ClickHouseWire)
    await proxy.start(port)
    yield proxy, port
    await proxy.close()


@pytest.fixture
async def far_sink(
    proxy: tuple[Proxy, int], clickhouse_url: str, database: str
) -> AsyncIterator[ClickHouseSink]:
    """A sink that reaches the engine through the proxy, and waits a second for an answer."""
    address = urlsplit(clickhouse_url)
    user, at, _ = address.netloc.rpartition("@")
    url = address._replace(netloc=f"{user}{at}127.0.0.1:{proxy[1]}").geturl()
    async with await clickhouse_connect.get_async_client(
        dsn=url, database=database, autogenerate_session_id=False, send_receive_timeout=1
    ) as client:
        yield ClickHouseSink(client)


async def _cut(connection: Connection) -> None:
    connection.cut()


async def _hold(connection: Connection) -> None:
    del connection
    await asyncio.Event().wait()  # until the proxy is closed


@pytest.mark.parametrize("step", [INSERT_SENT, INSERT_APPLIED])
@pytest.mark.parametrize("action", [_cut, _hold])
async def test_an_insert_without_answer_is_lost_and_not_sent_again(
    proxy: tuple[Proxy, int],
    far_sink: ClickHouseSink,
    clickhouse: AsyncClient,
    step: str,
    action: Callable[[Connection], Awaitable[None]],
) -> None:
    """It may be in or not; what the client must not do is to try again by itself."""
    applied = {1, 2} if step == INSERT_APPLIED else set()
    trap = proxy[0].arm(Trap(step, action))
    assert await _refusal(far_sink) is InsertFailure.UNKNOWN
    assert trap.sprung.is_set()
    assert await ClickHouseSink(clickhouse).existing_offsets(SOURCE, 0) == applied
    count = await clickhouse.query("SELECT count() FROM events")
    assert count.result_rows == [(len(applied),)]


async def test_an_insert_that_nobody_answers_is_lost(
    proxy: tuple[Proxy, int], far_sink: ClickHouseSink
) -> None:
    await far_sink.now_ms()
    await proxy[0].close()
    assert await _refusal(far_sink) is InsertFailure.UNKNOWN
    with pytest.raises(ClickHouseError):
        await far_sink.existing_offsets(SOURCE, 0)


async def _refusal(sink: ClickHouseSink) -> InsertFailure:
    with pytest.raises(InsertError) as refused:
        await sink.insert(SOURCE, 0, 2**41, ROWS)
    assert str(refused.value)
    return refused.value.failure


async def test_an_insert_that_runs_is_seen_and_waited_for(clickhouse: AsyncClient) -> None:
    sink = ClickHouseSink(clickhouse)
    await clickhouse.command("ALTER TABLE events ADD CONSTRAINT slow CHECK sleep(1.5) = 0")
    assert not await sink.is_inserting(SOURCE)
    inserting = asyncio.create_task(
        sink.insert(SOURCE, 0, await sink.now_ms() + 60_000, ROWS), name="insert"
    )
    await wait_until(lambda: sink.is_inserting(SOURCE), 10, "the insert is seen")
    assert not await sink.is_inserting(OTHER)
    await sink.wait_for_inflight_inserts(SOURCE, 0)
    assert await sink.existing_offsets(SOURCE, 0) == {1, 2}, "quiet is when it is in"
    assert not await sink.is_inserting(SOURCE)
    await inserting


async def test_after_quiet_nothing_comes_any_more(clickhouse: AsyncClient) -> None:
    """A zombie whose request is on the way when its lease ends. An engine that runs an insert only
    when it has all of it refuses this one; one that runs it as it comes shows it until it ends."""
    sink = ClickHouseSink(clickhouse)
    lease = await sink.now_ms() + 500
    thawed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        whole = b"".join(native_block(SOURCE, 0, lease, ROWS))
        yield whole[:100]
        await thawed.wait()
        yield whole[100:]

    zombie = asyncio.create_task(
        clickhouse.raw_insert(
            "events",
            [*COLUMNS],
            body(),
            fmt="Native",
            settings={"log_comment": f"activity {SOURCE}", "async_insert": 0},
        )
    )
    waiting = asyncio.create_task(sink.wait_for_inflight_inserts(SOURCE, lease))

    async def lease_is_over() -> bool:
        return await sink.now_ms() > lease + 200

    await wait_until(lease_is_over, 10, "the lease is over")
    if not waiting.done():  # it is seen to run
        thawed.set()
    await waiting
    present = await sink.existing_offsets(SOURCE, 0)
    thawed.set()
    await asyncio.wait({zombie})
    assert await sink.existing_offsets(SOURCE, 0) == present
    assert (zombie.exception() is None) == bool(present)
