"""One run: a seed, a topic of its own, events, consumers, a fault; then the count."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.structs import OffsetAndMetadata

from activity_deploy.kafka.topics import Topic, create
from activity_deploy.process.process import Process
from activity_schemas.uuid7 import uuid7
from tests.chaos.count import PARTITIONS, Count
from tests.chaos.ledger import Ledger, Tally
from tests.chaos.proxy import Trap
from tests.chaos.stack import DATABASE, Stack
from tests.chaos.unprotected import CONTROLS
from tests.support.consumer import Consumer, event, message
from tests.support.wait import wait_until

ORGS = 8
SESSION_TIMEOUT_S = 2.0
# What a run without a protection may take before it is counted as it is.
PATIENCE_S = 120.0
CONTROL_PATIENCE_S = 12.0
_LARGE_BYTES = 4 << 20


class Started(Protocol):
    """Processes of a fault's own."""

    process: Process

    async def kill(self) -> None: ...


class Run:
    """What a fault works with. `without`: the protection that is taken out, '' for none."""

    def __init__(self, stack: Stack, name: str, seed: int, without: str = "") -> None:
        self.stack = stack
        self.random = random.Random(f"{name}-{seed}")
        self.without = without
        self.ledger = Ledger()
        self.topic = f"{name}-{seed}-{without or 'protected'}-{uuid7().hex[-6:]}"
        self.group = f"group-{self.topic}"
        self.count = Count(stack, self.ledger, self.topic, self.group)
        #: What must be true, too, before the count.
        self.before_drained: list[Callable[[], bool]] = []
        #: What else runs for this run, and ends with it.
        self.others: list[Started] = []
        #: What the fault has counted by itself.
        self.tally = Tally()
        #: What is worth a word in the run's line.
        self.notes: list[str] = []
        self._patience = CONTROL_PATIENCE_S if without else PATIENCE_S
        self._consumers: list[Consumer] = []
        self._started = 0
        self._seq = 0

    async def create_topics(self) -> None:
        """The topic and the one of its dead letters."""
        # As `make run` has it: room for a dead letter of 1 MiB with its reason.
        large = {"max.message.bytes": str(_LARGE_BYTES)}
        topics = [Topic(self.topic, PARTITIONS, large), Topic(f"{self.topic}.dlq", 1, large)]
        await create(self.stack.bootstrap, topics)

    async def consumer(self, ready: bool = True, **settings: Any) -> Consumer:
        """Start a consumer, by way of the proxies, and wait until it has its partitions."""
        self._started += 1
        log = self.stack.directory / f"{self.topic}-{self._started}.log"
        settings = {
            "session_timeout_s": SESSION_TIMEOUT_S,
            "insert_timeout_s": 1.5,
            "batch_max_age_s": 0.15,
            "batch_max_rows": 150,
            **settings,
        }
        programs: dict[str, tuple[str, ...]] = {"codecs": ("tests.chaos.without_codecs",)}
        programs |= {name: ("tests.chaos.unprotected", name) for name in CONTROLS}
        # Either finds what is sent again into an added partition: the header that the emitter sets,
        # and the question for all ids after such a change. The control is without both.
        programs["resent"] = ("tests.chaos.unprotected", "ids_after_change")
        consumer = Consumer(
            self.stack.proxied_bootstrap,
            self.topic,
            self.stack.proxied_url,
            DATABASE,
            log,
            program=programs.get(self.without, ("activity_consume",)),
            **settings,
        )
        await consumer.process.start()
        self._consumers.append(consumer)
        if ready:
            await consumer.ready()
        return consumer

    def event(self, **facts: Any) -> dict[str, Any]:
        """A new event of one of the run's orgs, in one of three months, so that a batch touches
        several partitions of the table."""
        self._seq += 1
        late = timedelta(days=self.random.choice((0, 0, 0, 31, 62)), seconds=self.random.random())
        stamp = datetime.now(UTC) - late
        facts = {
            "timestamp": stamp.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "seq": self._seq,
            "duration_ms": self.random.randrange(1, 4000) / 4,
            **facts,
        }
        return event(f"{self.topic}-org{self.random.randrange(ORGS)}", **facts)

    async def alter(self, change: str) -> None:
        """`ALTER TABLE events ...`."""
        await self.stack.clickhouse.command(f"ALTER TABLE events {change}")

    def trap(self, step: str, nth: int, action: Any) -> Trap:
        """Arm a trap at a step, on the proxy that sees it."""
        in_clickhouse = step.startswith("insert")
        proxy = self.stack.clickhouse_proxy if in_clickhouse else self.stack.kafka_proxy
        return proxy.arm(Trap(step, action, nth))

    async def sprung(self, trap: Trap) -> None:
        """Wait until the fault has been hit."""
        await wait_until(trap.sprung.is_set, 30, f"{self.topic}: {trap.step} was reached")

    @contextlib.asynccontextmanager
    async def feeding(self, count: int = 1500, seconds: float = 2.5) -> AsyncIterator[None]:
        """Events at a steady rate while the block runs; all sent at its end."""
        events = (self.event() for _ in range(count))
        task = asyncio.create_task(self.feed(events, seconds / count))
        try:
            yield
            await task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def feed(
        self,
        events: Iterable[dict[str, Any]],
        pause: float = 0.0,
        copies: int = 1,
        bootstrap: str = "",
        compression: str | None = None,
    ) -> None:
        """Produce, and write down what was acknowledged. `pause`: seconds for each event."""
        producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap or self.stack.bootstrap,
            acks="all",
            linger_ms=5,
            compression_type=compression,
        )
        async with producer:
            sent = []
            due = time.monotonic()
            for one in events:
                self.ledger.attempted[one["id"]] = one
                for _ in range(copies):
                    future = await producer.send(
                        self.topic, key=one["org_id"].encode(), value=message(one)
                    )
                    sent.append((one["id"], future))
                due += pause
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            for id_, future in sent:
                with contextlib.suppress(KafkaError):
                    await future
                    self.ledger.acknowledged.add(id_)

    async def feed_transaction(
        self, producer: AIOKafkaProducer, count: int, *, abort: bool
    ) -> None:
        """Events in one transaction; those of an aborted one were never sent."""
        await producer.begin_transaction()
        events = [self.event() for _ in range(count)]
        for one in events:
            key, value = one["org_id"].encode(), message(one)
            await (await producer.send(self.topic, key=key, value=value))
        if abort:
            await producer.abort_transaction()
            return
        await producer.commit_transaction()
        self.ledger.attempted |= {one["id"]: one for one in events}
        self.ledger.acknowledged |= {one["id"] for one in events}

    def skewed(self) -> dict[str, Any]:
        """Facts of an event that is up to 48 h late, from a clock that is up to an hour off."""
        now = datetime.now(UTC) - timedelta(hours=self.random.uniform(0, 48))
        off = timedelta(hours=self.random.uniform(-1, 1))
        born_ms = int((now + off).timestamp() * 1000)
        return {
            "id": str(uuid7(born_ms)),
            "timestamp": (now + off).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        }

    async def feed_poison(self, count: int) -> None:
        """Messages that are no events, each one different, acknowledged."""
        async with AIOKafkaProducer(
            bootstrap_servers=self.stack.bootstrap, acks="all", max_request_size=_LARGE_BYTES
        ) as producer:
            for number in range(count):
                value = self._poison(len(self.ledger.poison)) if number % 20 else None
                self.ledger.poison.append(value or b"")
                await producer.send_and_wait(
                    self.topic,
                    value,
                    partition=number % PARTITIONS,
                    key=b"\xff\xfe" if number % 5 == 0 else None,
                    headers=[("x", b"\xff")] if number % 7 == 0 else [],
                )

    def _poison(self, number: int) -> bytes:
        mark = b"%d %s" % (number, self.topic.encode())
        good = message(self.event())
        return self.random.choice(
            (
                b"{" + mark,
                b"\xff\xfe" + mark,
                b"[" * 2000 + mark,
                good.replace(b'"seq"', b'"seq": "x", "n": %d, "_"' % number),
                good.replace(b'"method"', b'"schema_version": 2, "n": %d, "method"' % number),
                b'{"org_id": "", "n": %d}' % number,
                b'{"big": "' + b"x" * (1 << 20) + mark + b'"}',
            )
        )

    async def move_offsets_to_end(self) -> None:
        """What `kafka-consumer-groups --reset-offsets --to-latest` does to an idle group."""
        partitions = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        async with AIOKafkaConsumer(
            bootstrap_servers=self.stack.bootstrap, group_id=self.group, enable_auto_commit=False
        ) as consumer:
            consumer.assign(partitions)
            ends = await consumer.end_offsets(partitions)
            await consumer.commit({one: OffsetAndMetadata(ends[one], "") for one in partitions})

    async def drain(self) -> float:
        """Wait until the table has what was acknowledged and the group has committed all; seconds.

        A run without a protection may never get there: then it is counted after some patience.
        """
        started = time.monotonic()
        with contextlib.suppress(AssertionError):
            await wait_until(self._is_drained, self._patience, f"{self.topic} is drained")
        return time.monotonic() - started

    async def _is_drained(self) -> bool:
        for emptied in self.before_drained:
            if not emptied():
                return False
        return await self.count.is_drained()

    def last_words(self) -> str:
        """The ends of the consumers' logs, for a run that broke off."""
        started: list[Started | Consumer] = [*self.others, *self._consumers]
        return " | ".join(" / ".join(one.process.output()[-3:]) for one in started)

    async def end(self) -> None:
        """Stop what this run started."""
        self.stack.kafka_proxy.disarm()
        self.stack.clickhouse_proxy.disarm()
        await asyncio.gather(*(consumer.process.kill() for consumer in self._consumers))
        await asyncio.gather(*(other.kill() for other in self.others))
