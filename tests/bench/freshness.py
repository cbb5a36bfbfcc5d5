"""`python -m tests.bench.freshness`: how long after its answer a request is in the API's list.

First the most that the whole way can do (service, spool, Kafka, consumer, engine): requests from 8
clients, counted until all are in the table. Then half of that, evenly, and every 100 ms a request
of an org of its own, which the API's list is asked for until it is there. The last line is one JSON
object.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import httpx
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create
from activity_deploy.migration_run import migrate
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_schemas.event import TOPIC
from tests.bench.emit_observed import Observed
from tests.bench.query_load import Vegeta
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.consumer import Consumer
from tests.support.query import KEY, bearer
from tests.support.wait import wait_until

_DATABASE = "freshness"
_PARTITIONS = 4
_PROBE_ORG = "probe"
_PROBE_EVERY_S = 0.1
_LOOK_EVERY_S = 0.1
_PATIENCE_S = 300
_ORGS = 50


@dataclass(frozen=True, slots=True)
class Pipeline:
    """All of it, running. `api`: the list of the probes' org."""

    service: str
    api: str
    clickhouse: AsyncClient

    def targets(self) -> list[dict[str, str]]:
        """Requests of many orgs."""
        paths = (f"/v1/orgs/org-{n}/workspaces/w-{n % 7}/apps/a-{n % 11}" for n in range(_ORGS))
        return [{"method": "GET", "url": self.service + path} for path in paths]

    async def rows(self) -> int:
        """In the table, but for the probes."""
        sql = "SELECT count() FROM events WHERE org_id != {org:String}"
        result = await self.clickhouse.query(sql, {"org": _PROBE_ORG})
        return int(result.result_rows[0][0])


@contextlib.asynccontextmanager
async def pipeline(directory: Path) -> AsyncIterator[Pipeline]:
    """One of each, with their defaults."""
    async with contextlib.AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(KafkaBroker(directory / "kafka"))
        topics = [Topic(TOPIC, _PARTITIONS), Topic(f"{TOPIC}.dlq", 1)]
        await create(kafka.bootstrap_servers, topics)
        engine = ClickHouseServer(directory / "clickhouse")
        await engine.start()
        stack.push_async_callback(engine.kill)
        async with await connect(engine.url, "default") as client:
            await migrate(client, _DATABASE)
        clickhouse = await stack.enter_async_context(await connect(engine.url, _DATABASE))
        log = directory / "consumer.log"
        consumer = Consumer(kafka.bootstrap_servers, TOPIC, engine.url, _DATABASE, log)
        await stack.enter_async_context(consumer)
        await consumer.ready()
        [port] = free_ports(1)
        api = Process(
            "query-api",
            [sys.executable, "-m", "activity_api", "serve"],
            directory / "api.log",
            {
                "ACTIVITY_CLICKHOUSE_URL": engine.url,
                "ACTIVITY_CLICKHOUSE_DATABASE": _DATABASE,
                "ACTIVITY_API_PORT": str(port),
                "ACTIVITY_JWT_KEY": KEY,
                "ACTIVITY_CURSOR_KEY": KEY,
                "ACTIVITY_LIMIT_REQUESTS_PER_SECOND": "1000",
                "ACTIVITY_LIMIT_BURST": "1000",
            },
        )
        await api.start()
        stack.push_async_callback(api.stop)
        to_kafka = {"ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers}
        service = Observed("service", directory, to_kafka)
        await service.start()
        stack.push_async_callback(service.process.stop)
        url = f"http://127.0.0.1:{port}/v1/orgs/{_PROBE_ORG}/activity"
        running = Pipeline(service.url, url, clickhouse)
        await Probes(running).seen(0)
        yield running


class Probes:
    """Requests whose way to the list is timed."""

    def __init__(self, of: Pipeline) -> None:
        self._of = of
        self._client = httpx.AsyncClient(trust_env=False, timeout=20)
        self._headers = bearer(_PROBE_ORG)
        self._answered: dict[str, float] = {}
        #: Seconds, in the order in which they were seen.
        self.took: list[float] = []

    async def run(self, seconds: float) -> None:
        """A probe every now and then; all of them seen when this returns."""
        looking = asyncio.create_task(self._look())
        began = time.perf_counter()
        for number in range(int(seconds / _PROBE_EVERY_S)):
            due = began + number * _PROBE_EVERY_S
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            name = f"probe-{number}"
            path = f"/v1/orgs/{_PROBE_ORG}/workspaces/w/apps/{name}"
            (await self._client.get(self._of.service + path)).raise_for_status()
            self._answered[name] = time.perf_counter()
        await wait_until(lambda: not self._answered, _PATIENCE_S, "all probes are in the list")
        looking.cancel()
        await self._client.aclose()

    async def seen(self, at_least: int) -> None:
        """Until the API answers with so many."""

        async def answers() -> bool:
            try:
                return len(await self._names()) >= at_least
            except httpx.HTTPError:
                return False

        await wait_until(answers, 60, "the read API answers")
        await self._client.aclose()

    async def _look(self) -> None:
        while True:
            for name in await self._names():
                if (answered := self._answered.pop(name, None)) is not None:
                    self.took.append(time.perf_counter() - answered)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _names(self) -> set[str]:
        answer = await self._client.get(self._of.api, params={"limit": 100}, headers=self._headers)
        if answer.status_code == 404:  # none of the org's was ever seen
            return set()
        answer.raise_for_status()
        return {event["app_id"] for event in answer.json()["activities"]}


async def bench(vegeta: Vegeta, seconds: float, directory: Path) -> None:
    """Print the table and the JSON object."""
    async with pipeline(directory) as running:
        began = time.perf_counter()
        most = await vegeta.capacity(running.targets(), 8, seconds)
        sent = round(most.rate * seconds)

        async def all_in() -> bool:
            return await running.rows() >= sent

        await wait_until(all_in, _PATIENCE_S, f"{sent} events are in the table")
        rate = sent / (time.perf_counter() - began)
        sys.stdout.write(f"at most {most.rate:.0f} requests a second, {rate:.0f} into the table\n")
        probes = Probes(running)
        load, _ = await asyncio.gather(
            vegeta.at_rate(running.targets(), rate / 2, seconds), probes.run(seconds)
        )
    cuts = quantiles(probes.took, n=100, method="inclusive")
    figures = {
        "probes": len(probes.took),
        "p50_s": round(cuts[49], 3),
        "p99_s": round(cuts[98], 3),
        "max_s": round(max(probes.took), 3),
    }
    sys.stdout.write(
        f"at {load.rate:.0f} a second, from the answer to the list: p50 {figures['p50_s']} s,"
        f" p99 {figures['p99_s']} s, most {figures['max_s']} s ({figures['probes']} probes)\n"
    )
    rates = {"most_per_s": round(rate), "load_per_s": round(load.rate), "failed": load.failed}
    sys.stdout.write(json.dumps({"freshness": figures, **rates}) + "\n")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.freshness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="of each of the two loads")
    parser.add_argument("--vegeta", type=Path, default=Path(".state/bench-query/bin/vegeta"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as directory:
        asyncio.run(bench(Vegeta(arguments.vegeta), arguments.seconds, Path(directory)))


if __name__ == "__main__":
    main()
