"""The consumer as a process, events for it, and what came out of them."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_schemas.uuid7 import uuid7
from tests.support.wait import wait_until

#: How long is waited for what comes at once: on a busy machine a program alone may take half of it
#: to start. What has to be fast is measured, not waited for.
PATIENCE_S = 60.0
#: A session this short makes a killed member's partitions free soon.
SESSION_TIMEOUT_S = 6


def event(org_id: str = "acme", **facts: Any) -> dict[str, Any]:
    """An event as a producer writes it; `facts` add or replace."""
    return {
        "schema_version": 1,
        "id": str(uuid7()),
        "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "org_id": org_id,
        "method": "GET",
        "path": f"/v1/orgs/{org_id}",
        "action": "read",
        "status_code": 200,
        "duration_ms": 1.5,
        "producer_id": "test",
        "seq": 0,
        **facts,
    }


def message(event: Mapping[str, Any]) -> bytes:
    """The value on the topic."""
    return json.dumps(event).encode()


async def produce(bootstrap: str, topic: str, events: Iterable[Mapping[str, Any]]) -> None:
    """Events, keyed by their org; all acknowledged when this returns."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5) as producer:
        sent = [
            await producer.send(topic, key=event["org_id"].encode(), value=message(event))
            for event in events
        ]
        for one in sent:
            await one


async def produce_raw(
    bootstrap: str,
    topic: str,
    values: Iterable[bytes | None],
    *,
    partition: int = 0,
    key: bytes | None = None,
    headers: Iterable[tuple[str, bytes | None]] = (),
) -> None:
    """Values as they are, in their order, to one partition."""
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, max_request_size=8 << 20, enable_idempotence=True
    ) as producer:
        for value in values:
            await producer.send(
                topic, value=value, partition=partition, key=key, headers=list(headers)
            )


async def messages(bootstrap: str, topic: str, count: int) -> list[Any]:
    """The first `count` records of a topic, in the order they come."""
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest"
    ) as consumer:
        found: list[Any] = []

        async def read() -> bool:
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found.extend(records)
            return len(found) >= count

        await wait_until(read, PATIENCE_S, f"{count} messages on {topic}")
        return found


async def rows_arrive(clickhouse: AsyncClient, count: int, within: float = PATIENCE_S) -> None:
    """Until the table has that many rows, or more."""

    async def arrived() -> bool:
        try:
            found = await clickhouse.query("SELECT count() FROM events")
            return bool(found.result_rows[0][0] >= count)
        except ClickHouseError:  # the test has it away
            return False

    await wait_until(arrived, within, f"{count} rows")


async def ids(clickhouse: AsyncClient) -> list[str]:
    """The id of every row, duplicates and all."""
    result = await clickhouse.query("SELECT toString(id) FROM events")
    return [row[0] for row in result.result_rows]


class Consumer:
    """`python -m activity_consume consume` as a child process."""

    def __init__(
        self,
        bootstrap: str,
        topic: str,
        clickhouse_url: str,
        database: str,
        log: Path,
        *,
        program: Sequence[str] = ("activity_consume",),
        variables: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        """`settings` by their names in ConsumerSettings; `program`: what `python -m` runs;
        `variables`: others of its environment."""
        [self.port] = free_ports(1)
        environment = {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "ACTIVITY_KAFKA_TOPIC": topic,
            "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{topic}.dlq",
            "ACTIVITY_KAFKA_GROUP_ID": f"group-{topic}",
            "ACTIVITY_CLICKHOUSE_URL": clickhouse_url,
            "ACTIVITY_CLICKHOUSE_DATABASE": database,
            "ACTIVITY_CONSUMER_PORT": str(self.port),
            "ACTIVITY_CONSUMER_SESSION_TIMEOUT_S": str(SESSION_TIMEOUT_S),
            **{f"ACTIVITY_CONSUMER_{name.upper()}": str(value) for name, value in settings.items()},
            **(variables or {}),
        }
        self.process = Process("consumer", [sys.executable, "-m", *program], log, environment)

    async def __aenter__(self) -> "Consumer":
        await self.process.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.process.stop()

    async def ready(self, within: float = PATIENCE_S) -> None:
        """Until it says that events are on their way."""
        try:
            await wait_until(lambda: self.page("/readyz", 200), within, "the consumer is ready")
        except AssertionError as error:
            why = await self.page("/readyz", 503)
            raise AssertionError(
                f"{error}; it says {why!r}: {self.process.output()[-5:]}"
            ) from None

    async def page(self, path: str, status: int) -> str:
        """The text of a page, '' if it has another status or is not there."""
        assert self.process.running, f"the consumer ended: {self.process.output()}"
        async with httpx.AsyncClient() as client:
            try:
                answer = await client.get(f"http://127.0.0.1:{self.port}{path}")
            except httpx.HTTPError:
                return ""
        return answer.text if answer.status_code == status else ""

    def said_after(self, since: float, *words: str) -> float:
        """How many seconds after `since` (Unix) it first wrote a line with these words, by its own
        clock, however late the test looks; inf if it has not."""
        for line in self.process.output():
            if all(word in line for word in words):
                stamp = datetime.strptime(line[:23], "%Y-%m-%d %H:%M:%S,%f")  # noqa: DTZ007 - local
                if (seconds := stamp.timestamp() - since) > -0.001:
                    return seconds
        return math.inf

    async def ended(self, within: float = PATIENCE_S) -> str:
        """Wait for its own end; its last line."""
        await wait_until(lambda: not self.process.running, within, "the consumer ends")
        return self.process.output()[-1]


NewConsumer = Callable[..., Consumer]


@pytest.fixture
def new_consumer(
    kafka_bootstrap: str, topic: str, clickhouse_url: str, database: str, tmp_path: Path
) -> NewConsumer:
    """Consumers of this test's topic into its database; by keyword, what one has of its own."""

    def make(name: str = "consumer", url: str = clickhouse_url, **settings: Any) -> Consumer:
        log = tmp_path / f"{name}.log"
        return Consumer(kafka_bootstrap, topic, url, database, log, **settings)

    return make
