"""The ways from a topic (or a file) into the table that are compared.

Each is a context manager that enters when it begins to read, for then the clock starts, and gives
its process, or None where the engine does the work itself.
"""

import asyncio
import contextlib
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import DatabaseError

from activity_deploy.process.process import Process
from tests.bench.fill import Filled
from tests.bench.tutorial_table import CREATE, TABLE
from tests.support.wait import wait_until

_START_PATIENCE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Place:
    """A migrated database on an engine of its own. `directory`: for logs."""

    url: str
    database: str
    client: AsyncClient
    directory: Path


@dataclass(frozen=True, slots=True)
class Arm:
    """`exact`: it drops the producers' duplicates; the others have a row for each message.
    `table`: where it writes to."""

    name: str
    running: Callable[[Filled, Place], AbstractAsyncContextManager[Process | None]]
    exact: bool = False
    table: str = "events"


@asynccontextmanager
async def ours(filled: Filled, place: Place) -> AsyncIterator[Process]:
    """`python -m activity_consume consume` with its defaults."""
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": filled.bootstrap,
        "ACTIVITY_KAFKA_TOPIC": filled.topic,
        "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{filled.topic}.dlq",
        "ACTIVITY_KAFKA_GROUP_ID": _group(),
        "ACTIVITY_CLICKHOUSE_URL": place.url,
        "ACTIVITY_CLICKHOUSE_DATABASE": place.database,
        "ACTIVITY_CONSUMER_PORT": "0",
    }
    async with _program("activity_consume", [], environment, place, "consuming") as process:
        yield process


@asynccontextmanager
async def tutorial(filled: Filled, place: Place) -> AsyncIterator[Process]:
    """tests/bench/tutorial_consumer.py, into a table of its own."""
    await place.client.command(CREATE)
    environment = {
        "BENCH_BOOTSTRAP": filled.bootstrap,
        "BENCH_TOPIC": filled.topic,
        "BENCH_GROUP": _group(),
        "BENCH_URL": place.url,
        "BENCH_DATABASE": place.database,
    }
    program = "tests.bench.tutorial_consumer"
    async with _program(program, [], environment, place, "ready") as process:
        yield process


@asynccontextmanager
async def kafka_engine(filled: Filled, place: Place) -> AsyncIterator[None]:
    """ClickHouse's own consumer: a Kafka table, and a materialized view into `events`."""
    settings = {
        "kafka_broker_list": filled.bootstrap,
        "kafka_topic_list": filled.topic,
        "kafka_group_name": _group(),
        "kafka_format": "JSONAsString",
        # A consumer per core, each with its thread and its inserts.
        "kafka_num_consumers": 2,
        "kafka_thread_per_consumer": 1,
        "kafka_max_block_size": 131_072,
        "kafka_poll_max_batch_size": 131_072,
        "kafka_flush_interval_ms": 2000,
    }
    create = "CREATE TABLE queue (message String) ENGINE = Kafka SETTINGS " + ", ".join(
        f"{name} = {value!r}" for name, value in settings.items()
    )
    # chDB's engine creates the table and answers with an error about its own shutdown; the next
    # statement would say if it were not there.
    with contextlib.suppress(DatabaseError):
        await place.client.command(create)
    await place.client.command(
        "CREATE MATERIALIZED VIEW queue_to_events TO events AS SELECT message, _topic, _partition,"
        " _offset, _offset AS _base_offset, now64(3) + INTERVAL 1 HOUR AS _lease FROM queue"
    )
    yield


@asynccontextmanager
async def file(filled: Filled, place: Place) -> AsyncIterator[None]:
    """The floor: the engine loads the same events from a file, without Kafka."""
    source = f"file('{filled.file}', 'JSONAsString', 'message String')"
    loading = asyncio.create_task(
        place.client.command(
            "INSERT INTO events (message, _topic, _partition, _offset, _base_offset, _lease)"
            f" SELECT message, '', 0, 0, 0, now64(3) + INTERVAL 1 HOUR FROM {source}"
        )
    )
    try:
        yield
        await loading
    finally:
        loading.cancel()


ARMS = [
    Arm("ours", ours, exact=True),
    Arm("kafka_engine", kafka_engine),
    Arm("file", file),
    Arm("tutorial", tutorial, table=TABLE),
]


@asynccontextmanager
async def _program(
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    place: Place,
    begins: str,
) -> AsyncIterator[Process]:
    """`begins`: what it writes when it begins to read."""
    log = place.directory / "consumer.log"
    command = [sys.executable, "-m", module, *arguments]
    process = Process("consumer", command, log, environment)
    await process.start()

    def has_begun() -> bool:
        assert process.running, process.ended()
        return any(begins in line for line in process.output())

    try:
        await wait_until(has_begun, _START_PATIENCE_SECONDS, f"{module} begins to read")
        yield process
    finally:
        await process.stop()


def _group() -> str:
    return f"bench-{uuid.uuid4().hex[:12]}"
