"""`python -m tests.alerts.outsider`: breaks a real stack in eleven ways, and prints for each what
somebody sees who looks at doctor, metrics and logs alone. What one would conclude is in
docs/measurements/outsider.md."""

# ruff: noqa: T201

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from prometheus_client.parser import text_string_to_metric_families

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.migration_run import migrate
from tests.alerts.scene import DATABASE
from tests.integration.api.test_query_serve import LIST, Api
from tests.integration.consume.test_consume_unreadable import _produce_unreadable
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer, event, produce, produce_raw

TOPIC = "events"
_SETTLES_S = 12.0
_COUNTED = ("_bucket", "_sum", "_count", "_bytes_total", "_rows_total")
_MOVING = ("process_", "activity_build", "activity_consumer_complete", "activity_consumer_last")


@dataclass(slots=True)
class Stack:
    """All parts, and what is seen of them."""

    broker: KafkaBroker
    engine: ClickHouseServer
    consumer: Consumer
    api: Api
    port: int

    async def doctor(self) -> str:
        """Its lines that are not ok, and its exit status."""
        address = self.api.client.base_url
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "activity_deploy.cli", "doctor"),
            stdout=asyncio.subprocess.PIPE,
            env={
                **os.environ,
                "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
                "ACTIVITY_KAFKA_TOPIC": TOPIC,
                "ACTIVITY_KAFKA_DEAD_LETTER_TOPIC": f"{TOPIC}.dlq",
                "ACTIVITY_KAFKA_GROUP_ID": f"group-{TOPIC}",
                "ACTIVITY_CLICKHOUSE_URL": self.engine.url,
                "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE,
                "ACTIVITY_CONSUMER_PORT": str(self.port),
                "ACTIVITY_API_PORT": str(address.port),
            },
        )
        out, _ = await process.communicate()
        lines = [one for one in out.decode().splitlines() if not one.startswith("ok ")]
        return "\n".join([*lines, f"exit status {process.returncode}"])

    async def metrics(self) -> dict[str, float]:
        """Both pages, but for what moves by itself."""
        found: dict[str, float] = {}
        async with httpx.AsyncClient(timeout=10) as client:
            consumer = f"http://127.0.0.1:{self.port}/metrics"
            for url in (consumer, f"{str(self.api.client.base_url).rstrip('/')}/metrics"):
                try:
                    page = (await client.get(url)).text
                except httpx.HTTPError:
                    found[f"no answer from {'consumer' if url == consumer else 'api'}"] = 1
                    continue
                for family in text_string_to_metric_families(page):
                    for one in family.samples:
                        told = ",".join(f"{k}={v}" for k, v in sorted(one.labels.items()))
                        if not one.name.endswith(_COUNTED) and not one.name.startswith(_MOVING):
                            found[f"{one.name}{{{told}}}"] = one.value
        return found


Break = Callable[[Stack], Awaitable[Callable[[], Awaitable[None]]]]


async def consumer_killed(stack: Stack) -> Callable[[], Awaitable[None]]:
    await stack.consumer.process.kill()
    return lambda: _started(stack)


async def engine_stopped(stack: Stack) -> Callable[[], Awaitable[None]]:
    await stack.engine.kill()
    await produce(stack.broker.bootstrap_servers, TOPIC, [event(org) for org in "abcd"])
    await stack.api.get(LIST)
    return stack.engine.start


async def engine_hangs(stack: Stack) -> Callable[[], Awaitable[None]]:
    stack.engine.process.send_signal(signal.SIGSTOP)
    await stack.api.get(LIST)

    async def mend() -> None:
        stack.engine.process.send_signal(signal.SIGCONT)

    return mend


async def broker_killed(stack: Stack) -> Callable[[], Awaitable[None]]:
    await stack.broker.kill()
    return stack.broker.start


async def dead_letter_topic_deleted(stack: Stack) -> Callable[[], Awaitable[None]]:
    servers = stack.broker.bootstrap_servers
    await delete(servers, [f"{TOPIC}.dlq"])

    async def mend() -> None:
        await create(servers, [Topic(f"{TOPIC}.dlq", 1)])

    return mend


async def column_added(stack: Stack) -> Callable[[], Awaitable[None]]:
    async def run(sql: str) -> None:
        async with await connect(stack.engine.url, DATABASE) as client:
            await client.command(sql)

    await run("ALTER TABLE events ADD COLUMN region String")
    # It is looked at once a minute; a new consumer looks at once.
    await stack.consumer.process.stop()
    await stack.consumer.process.start()

    async def mend() -> None:
        await run("ALTER TABLE events DROP COLUMN region")
        await stack.consumer.process.stop()
        await _started(stack)

    return mend


async def projection_dropped(stack: Stack) -> Callable[[], Awaitable[None]]:
    async with await connect(stack.engine.url, DATABASE) as client:
        await client.command("ALTER TABLE events DROP PROJECTION by_duration")
    return _nothing


async def short_retention(stack: Stack) -> Callable[[], Awaitable[None]]:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.broker.bootstrap_servers)
    await admin.start()
    resource = ConfigResource(ConfigResourceType.TOPIC, TOPIC, {"retention.ms": "60000"})
    await admin.alter_configs([resource])
    await admin.close()
    return _nothing


async def bad_messages(stack: Stack) -> Callable[[], Awaitable[None]]:
    await produce_raw(stack.broker.bootstrap_servers, TOPIC, [b"{", b"{}"])
    return _nothing


async def numbers_missing(stack: Stack) -> Callable[[], Awaitable[None]]:
    events = [event(producer_id="gappy", seq=number) for number in (0, 7)]
    await produce(stack.broker.bootstrap_servers, TOPIC, events)
    return _nothing


async def unreadable(stack: Stack) -> Callable[[], Awaitable[None]]:
    await _produce_unreadable(stack.broker.bootstrap_servers, TOPIC, partition=2)
    return _nothing


BREAKS: list[Break] = [
    *(consumer_killed, engine_stopped, engine_hangs, broker_killed, dead_letter_topic_deleted),
    *(column_added, bad_messages, numbers_missing, short_retention, projection_dropped),
    unreadable,
]


async def _nothing() -> None:
    pass


async def _started(stack: Stack) -> None:
    await stack.consumer.process.start()
    await stack.consumer.ready(120)


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Stack]:
    """All of it, ready."""
    async with contextlib.AsyncExitStack() as stack:
        broker = await stack.enter_async_context(KafkaBroker(folder / "kafka"))
        await create(broker.bootstrap_servers, [Topic(TOPIC, 4), Topic(f"{TOPIC}.dlq", 1)])
        engine = ClickHouseServer(folder / "engine")
        await engine.start()
        stack.push_async_callback(engine.kill)
        async with await connect(engine.url, "default") as client:
            await migrate(client, DATABASE)
        consumer = Consumer(
            broker.bootstrap_servers, TOPIC, engine.url, DATABASE, folder / "consumer.log"
        )
        await stack.enter_async_context(consumer)
        api = Api(folder / "api.log", engine.url, ACTIVITY_KAFKA_TOPIC=TOPIC)
        await api.start()
        stack.push_async_callback(api.process.stop)
        await consumer.ready(180)
        yield Stack(broker, engine, consumer, api, consumer.port)


async def main() -> None:
    """Each way, one after the other; the last ones are not mended."""
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder)) as stack:
            await produce(stack.broker.bootstrap_servers, TOPIC, [event(seq=0)])
            await asyncio.sleep(_SETTLES_S)  # for a person to look at, not for a test to pass
            print("## well\n" + await stack.doctor(), flush=True)
            wanted = sys.argv[1:]  # some of them, by name
            for break_ in BREAKS:
                if wanted and break_.__name__ not in wanted:
                    continue
                before = await stack.metrics()
                logs = len(stack.consumer.process.output()), len(stack.api.process.output())
                mend = await break_(stack)
                await asyncio.sleep(_SETTLES_S)
                after = await stack.metrics()
                print(f"\n## {break_.__name__}\n{await stack.doctor()}")
                for name in sorted(after):
                    if (before.get(name) != after[name] and "{" in name) or name not in before:
                        print(f"metric {name} {before.get(name, '-')} -> {after[name]}")
                said = stack.consumer.process.output()[logs[0] :][-4:]
                said += [one for one in stack.api.process.output()[logs[1] :] if "GET" not in one]
                print("\n".join(f"log {line[:400]}" for line in said), flush=True)
                await mend()


if __name__ == "__main__":
    asyncio.run(main())
