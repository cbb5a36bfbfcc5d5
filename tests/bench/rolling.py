"""`python -m tests.bench.rolling`: three consumers are replaced one after the other, under load.

As a rolling update does it: SIGTERM, a new process, the next one only when it is ready. Members
leave the group, or keep their name (`static`: ACTIVITY_CONSUMER_INSTANCE_ID). A partition rests
while no row of it goes in although its events come steadily. Exit status 1 where an event is lost
or twice, or, for the way that is the default, a partition rests for longer than it may. The last
line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer, event, message
from tests.support.wait import wait_until

# Each is some inserts a second of all its members: few, where engine and members share two cores.
_PARTITIONS = 6
_MEMBERS = 3
_DATABASE = "rolling"
_REST_S = 5.0
_PATIENCE_S = 300


@dataclass(slots=True)
class Outcome:
    """Of one way. Seconds."""

    way: str
    events: int = 0
    lost: int = 0
    duplicate: int = 0
    longest_rest_s: float = 0.0
    p50_rest_s: float = 0.0
    update_s: float = 0.0


class Rolling:
    """One way, with a topic and a database of its own."""

    def __init__(self, kafka: KafkaBroker, engine: ClickHouseServer, directory: Path) -> None:
        self._kafka = kafka
        self._engine = engine
        self._directory = directory
        self._sent = 0
        self._ended = asyncio.Event()

    async def run(self, way: str, rate: int) -> Outcome:
        """Load, replace all members, count."""
        outcome = Outcome(way)
        topic, database = f"rolling-{way}", f"{_DATABASE}_{way}"
        topics = [Topic(topic, _PARTITIONS), Topic(f"{topic}.dlq", 1)]
        await create(self._kafka.bootstrap_servers, topics)
        async with await connect(self._engine.url, "default") as client:
            await migrate(client, database)
        names = itertools.count()

        async def start(number: int) -> Consumer:
            own: dict[str, Any] = {"instance_id": f"consumer-{number}"} if way == "static" else {}
            log = self._directory / f"{way}-{next(names)}.log"
            address = (self._kafka.bootstrap_servers, topic, self._engine.url, database, log)
            consumer = Consumer(*address, **own, session_timeout_s=10, batch_max_age_s=1)
            await consumer.process.start()
            return consumer

        members = [await start(number) for number in range(_MEMBERS)]
        try:
            for member in members:
                await member.ready()
            load = asyncio.create_task(self._load(topic, rate))
            async with await connect(self._engine.url, database) as clickhouse:
                await self._steady(clickhouse)
                began = time.monotonic()
                for number in range(_MEMBERS):
                    stopping = time.monotonic()
                    await members[number].process.stop(20)
                    stopped = time.monotonic()
                    members[number] = await start(number)
                    await members[number].ready(_PATIENCE_S)
                    sys.stderr.write(
                        f"{way}: member {number} stopped in {stopped - stopping:.1f} s,"
                        f" back after {time.monotonic() - stopped:.1f} s\n"
                    )
                outcome.update_s = round(time.monotonic() - began, 1)
                await self._steady(clickhouse)
                self._ended.set()
                await load
                await self._count(clickhouse, outcome)
        finally:
            await asyncio.gather(*(member.process.stop() for member in members))
        return outcome

    async def _steady(self, clickhouse: AsyncClient) -> None:
        """Until each partition has got rows that were sent from now on."""
        since = self._sent

        async def all_have() -> bool:
            answer = await clickhouse.query(
                f"SELECT uniqExact(_partition) FROM events WHERE seq >= {since}"
            )
            return bool(answer.result_rows[0][0] == _PARTITIONS)

        await wait_until(all_have, _PATIENCE_S, "rows of all partitions")

    async def _load(self, topic: str, rate: int) -> None:
        """About evenly over all partitions, until told to end."""
        async with AIOKafkaProducer(
            bootstrap_servers=self._kafka.bootstrap_servers, acks="all", linger_ms=5
        ) as producer:
            sent, due = [], time.monotonic()
            for one in self._events():
                if self._ended.is_set():
                    break
                # By its org, as the emitter does it: so an insert is into some of the table's
                # partitions, and not into all.
                key = one["org_id"].encode()
                sent.append(await producer.send(topic, message(one), key=key))
                self._sent += 1
                due += 1 / rate
                if (ahead := due - time.monotonic()) > 0:
                    await asyncio.sleep(ahead)
            await asyncio.gather(*sent)

    @staticmethod
    def _events() -> Iterator[dict[str, Any]]:
        for number in itertools.count():
            yield event(f"org-{number % 100}", seq=number, producer_id="rolling")

    async def _count(self, clickhouse: AsyncClient, outcome: Outcome) -> None:
        async def counted() -> tuple[int, int]:
            answer = await clickhouse.query("SELECT count(), uniqExact(id) FROM events")
            return int(answer.result_rows[0][0]), int(answer.result_rows[0][1])

        async def all_in() -> bool:
            return (await counted())[1] >= self._sent

        with contextlib.suppress(AssertionError):  # counted as lost
            await wait_until(all_in, 60, "all events are in the table")
        rows, distinct = await counted()
        outcome.events = self._sent
        outcome.lost, outcome.duplicate = self._sent - distinct, rows - distinct
        # Of each partition the longest time between one insert and the next.
        answer = await clickhouse.query(
            "SELECT quantileExact(0.5)(rest), max(rest) FROM ("
            " SELECT _partition, max(seen - before) / 1000 AS rest FROM ("
            "  SELECT _partition, toUnixTimestamp64Milli(_ingested_at) AS seen,"
            "   lagInFrame(seen, 1, seen) OVER (PARTITION BY _partition ORDER BY seen) AS before"
            "  FROM (SELECT DISTINCT _partition, _ingested_at FROM events)) GROUP BY _partition)"
        )
        median, longest = answer.result_rows[0]
        outcome.p50_rest_s, outcome.longest_rest_s = round(median, 2), round(longest, 2)


async def rolling(rate: int, directory: Path) -> list[Outcome]:
    """Both ways, one after the other."""
    outcomes = []
    async with KafkaBroker(directory / "kafka") as kafka:
        engine = ClickHouseServer(directory / "clickhouse")
        await engine.start()
        try:
            for way in ("leave", "static"):
                outcomes.append(await Rolling(kafka, engine, directory).run(way, rate))
                sys.stderr.write(f"{outcomes[-1]}\n")
        finally:
            await engine.stop()
    return outcomes


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rolling", description=__doc__)
    parser.add_argument("--rate", type=int, default=300, help="events a second")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rolling-") as directory:
        outcomes = asyncio.run(rolling(arguments.rate, Path(directory)))
    columns = list(asdict(outcomes[0]))
    sys.stdout.write(" ".join(f"{column:>15}" for column in columns) + "\n")
    for outcome in outcomes:
        sys.stdout.write(" ".join(f"{value:>15}" for value in asdict(outcome).values()) + "\n")
    sys.stdout.write(json.dumps({"rolling": [asdict(outcome) for outcome in outcomes]}) + "\n")
    wrong = any(outcome.lost or outcome.duplicate for outcome in outcomes)
    return 1 if wrong or outcomes[0].longest_rest_s > _REST_S else 0


if __name__ == "__main__":
    sys.exit(main())
