"""`python -m tests.bench.growth`: what grows with consumers, orgs, producers and rows.

The same events from one topic of 12 partitions, each time into a new database: with 1, 2 and 4
consumers; of 10, 1,000 and 100,000 orgs; written by 1, 8 and 32 producers, whose record batches
are as much smaller. Then tables of `--rows` rows over 90 days (`activity generate`): parts and
disk; what a page and a summary of such tables take: `make bench-query`. Where cores are shared by
all parts, more consumers are no faster: CPU per event is what to count with (docs/sizing.md). The
last line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.partitioner import murmur2

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create
from activity_deploy.migration_run import migrate
from activity_deploy.process.process import Process
from tests.bench.events import Event, Events
from tests.bench.usage import cpu_seconds, peak_rss_mb
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer
from tests.support.wait import wait_until

_PARTITIONS = 12
_PATIENCE_S = 1800
#: What 15 ms of a busy service are, when one writes all.
_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Drain:
    """One way to grow."""

    consumers: int = 1
    orgs: int = 1000
    producers: int = 1

    @property
    def name(self) -> str:
        return f"c{self.consumers}-o{self.orgs}-p{self.producers}"


@dataclass(frozen=True, slots=True)
class Drained:
    """CPU in microseconds for each event; memory of the largest consumer."""

    consumers: int
    orgs: int
    producers: int
    events_per_s: int
    consumer_us: float
    engine_us: float
    broker_us: float
    consumer_mb: float
    parts: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table of 90 days."""

    rows: int
    parts: int
    bytes_a_row: float


def events_of(drain: Drain, count: int) -> list[Event]:
    """Without duplicates, so that each is one row."""
    rng, seen, found = random.Random(drain.name), set[bytes](), []
    for event in Events(count):
        if (id_ := event.value[26:62]) in seen:
            continue
        seen.add(id_)
        org = b"org_%06d" % rng.randrange(drain.orgs)
        found.append(Event(org, event.value.replace(event.key, org, 1)))
    return found


async def fill(bootstrap: str, topic: str, events: list[Event], producers: int) -> None:
    """Each record batch has so many events of one partition as a producer collects in one go."""
    topics = [Topic(topic, _PARTITIONS), Topic(f"{topic}.dlq", 1)]
    await create(bootstrap, topics)
    at_once = max(1, _AT_ONCE // producers)
    by_partition: list[list[Event]] = [[] for _ in range(_PARTITIONS)]
    for event in events:
        by_partition[(int(murmur2(event.key)) & 0x7FFFFFFF) % _PARTITIONS].append(event)
    async with AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_batch_size=1 << 20
    ) as producer:
        for number, some in enumerate(by_partition):
            sent = []
            for first in range(0, len(some), at_once):
                batch = producer.create_batch()
                for event in some[first : first + at_once]:
                    batch.append(key=event.key, value=event.value, timestamp=None)
                batch.close()
                sent.append(await producer.send_batch(batch, topic, partition=number))
            await asyncio.gather(*sent)


async def drain(
    of: Drain, kafka: KafkaBroker, engine: ClickHouseServer, events: int, directory: Path
) -> Drained:
    """Fill, read, count."""
    made = events_of(of, events)
    await fill(kafka.bootstrap_servers, of.name, made, of.producers)
    database = of.name.replace("-", "_")
    async with contextlib.AsyncExitStack() as stack:
        async with await connect(engine.url, "default") as client:
            await migrate(client, database)
        clickhouse = await stack.enter_async_context(await connect(engine.url, database))

        async def rows() -> int:
            return int((await clickhouse.query("SELECT count() FROM events")).result_rows[0][0])

        async def all_in() -> bool:
            return await rows() >= len(made)

        before = cpu_seconds(engine.pid), cpu_seconds(kafka.process.pid)
        processes: list[Process] = []
        began = time.perf_counter()
        for number in range(of.consumers):
            log = directory / f"{of.name}-{number}.log"
            consumer = Consumer(kafka.bootstrap_servers, of.name, engine.url, database, log)
            await stack.enter_async_context(consumer)
            processes.append(consumer.process)
        await wait_until(rows, _PATIENCE_S, f"{of.name}: the first row")
        first, first_at = await rows(), time.perf_counter()
        await wait_until(all_in, _PATIENCE_S, f"{of.name}: {len(made)} rows")
        took = time.perf_counter() - (first_at if first < len(made) / 2 else began)
        used = [cpu_seconds(process.pid) for process in processes]
        after = cpu_seconds(engine.pid), cpu_seconds(kafka.process.pid)
        answer = await clickhouse.query(
            "SELECT count() FROM system.parts WHERE active AND table = 'events'"
            " AND database = currentDatabase()"
        )
        result = await clickhouse.query("SELECT count() - uniqExact(id) FROM events")
        count = len(made)
        return Drained(
            *(of.consumers, of.orgs, of.producers),
            events_per_s=round((count - first) / took),
            consumer_us=round(sum(used) / count * 1e6, 1),
            engine_us=round((after[0] - before[0]) / count * 1e6, 1),
            broker_us=round((after[1] - before[1]) / count * 1e6, 1),
            consumer_mb=round(max(peak_rss_mb(process.pid) for process in processes)),
            parts=int(answer.result_rows[0][0]),
            wrong=await rows() - count + int(result.result_rows[0][0]),
        )


async def table(engine: ClickHouseServer, rows: int, directory: Path) -> Table:
    """Made in the engine."""
    database = f"rows_{rows}"
    process = Process(
        "generate",
        [
            sys.executable,
            "-m",
            "activity_deploy.cli",
            "generate",
            "--rows",
            str(rows),
            "--database",
            database,
        ],
        directory / f"{database}.log",
        {"ACTIVITY_CLICKHOUSE_URL": engine.url},
    )
    await process.start()
    assert await process.wait() == 0, process.output()
    async with await connect(engine.url, database) as clickhouse:
        answer = await clickhouse.query(
            "SELECT count(), sum(bytes_on_disk) / sum(rows) FROM system.parts"
            " WHERE active AND table = 'events' AND database = currentDatabase()"
        )
        parts, size = answer.result_rows[0]
    return Table(rows, int(parts), round(float(size), 1))


async def growth(events: int, sizes: list[int], directory: Path) -> dict[str, list[object]]:
    """Print each line as it is there."""
    found: dict[str, list[object]] = {"drained": [], "tables": []}
    ways = [Drain(consumers=n) for n in (1, 2, 4)]
    ways += [Drain(orgs=n) for n in (10, 100_000)]
    ways += [Drain(producers=n) for n in (8, 32)]
    async with KafkaBroker(directory / "kafka") as kafka:
        engine = ClickHouseServer(directory / "clickhouse")
        await engine.start()
        try:
            for way in ways:
                _line(found["drained"], await drain(way, kafka, engine, events, directory))
            for size in sizes:
                _line(found["tables"], await table(engine, size, directory))
        finally:
            await engine.stop()
    return found


def _line(into: list[object], row: Drained | Table) -> None:
    values = asdict(row)
    if not into:
        sys.stdout.write(" ".join(f"{name:>12}" for name in values) + "\n")
    into.append(values)
    sys.stdout.write(" ".join(f"{value:>12}" for value in values.values()) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.growth", description=__doc__)
    parser.add_argument("--events", type=int, default=300_000, help="of each drain")
    parser.add_argument("--rows", type=int, action="append", help="of a table; may be repeated")
    arguments = parser.parse_args()
    sizes = arguments.rows or [1_000_000, 10_000_000, 100_000_000]
    with tempfile.TemporaryDirectory(prefix="growth-") as directory:
        found = asyncio.run(growth(arguments.events, sizes, Path(directory)))
    sys.stdout.write(json.dumps({"growth": found}) + "\n")


if __name__ == "__main__":
    main()
