"""The local stack: what runs, in which order it starts and stops."""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from typing import Any

from activity_deploy.errors import UserError
from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import create, event_topics
from activity_deploy.local.addresses import remember
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.state import StateDirectory
from activity_deploy.process.http_ready import wait_ready
from activity_deploy.process.ports import HOST, check_free
from activity_deploy.process.process import Process
from activity_kafka.settings import KafkaSettings

# A multiple of the table's four buckets: a batch of one partition is one part (DESIGN, the table).
_PARTITIONS = 4
_SESSION_TIMEOUT = "ACTIVITY_CONSUMER_SESSION_TIMEOUT_S"
_READING = "ACTIVITY_READING_ENABLED"

# Together under the 10 s in which everything has to be gone.
_DEMO_PATIENCE_S, _SERVICES_PATIENCE_S, _STORES_PATIENCE_S = 2.5, 3.5, 3.0


class Stack:
    """Kafka, ClickHouse, consumer, query API and demo service, as children of this process."""

    def __init__(self, settings: LocalSettings, state: StateDirectory) -> None:
        self.settings = settings
        #: Done with the first child that ends without being told to.
        self.ended: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._state = state
        self._broker: KafkaBroker | None = None
        self._children: dict[str, Process] = {}
        self._watches: set[asyncio.Task[None]] = set()
        self._stopping = False
        self.kafka_servers = settings.kafka_bootstrap_servers or f"{HOST}:{settings.kafka_port}"
        self.transport = (
            f"spools in {state.spool}" if settings.transport == "spool" else self.kafka_servers
        )
        self.clickhouse_url = settings.clickhouse_url or f"http://{HOST}:{settings.clickhouse_port}"
        self.api_url = f"http://{HOST}:{settings.api_port}"
        self.demo_url = f"http://{HOST}:{settings.demo_port}"
        self.consumer_url = f"http://{HOST}:{settings.consumer_port}"
        self._environment = {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": self.kafka_servers,
            "ACTIVITY_CLICKHOUSE_URL": self.clickhouse_url,
            "ACTIVITY_API_PORT": str(settings.api_port),
            "ACTIVITY_CONSUMER_PORT": str(settings.consumer_port),
            "ACTIVITY_DEMO_PORT": str(settings.demo_port),
            "ACTIVITY_STATE_DIR": str(state.path),
            "ACTIVITY_SPOOL_DIR": str(state.spool),
            "ACTIVITY_TRANSPORT": settings.transport or "kafka",
            "ACTIVITY_EMIT_STOP_TIMEOUT_S": "2",
            # Who tries things out counts his own requests, and not those that look at them.
            _READING: os.environ.get(_READING) or "false",
            # After a kill -9 the next start waits this long for the dead consumer's partitions.
            _SESSION_TIMEOUT: os.environ.get(_SESSION_TIMEOUT, "6"),
            "PYTHONUNBUFFERED": "1",
        }

    def check_ports(self) -> None:
        """Raises UserError for a port that is taken."""
        s = self.settings
        wanted = [
            ("the query API", s.api_port, "ACTIVITY_API_PORT"),
            ("the demo service", s.demo_port, "ACTIVITY_DEMO_PORT"),
            ("the consumer's health pages", s.consumer_port, "ACTIVITY_CONSUMER_PORT"),
        ]
        if s.clickhouse_url is None:
            wanted.append(("ClickHouse", s.clickhouse_port, "ACTIVITY_CLICKHOUSE_PORT"))
        if s.kafka_bootstrap_servers is None and s.transport != "spool":
            wanted.append(("Kafka", s.kafka_port, "ACTIVITY_KAFKA_PORT"))
        check_free(wanted)

    async def start(self, secrets: dict[str, str]) -> None:
        """Returns when all are ready. `secrets`: more environment variables. Raises UserError."""
        self._environment |= secrets
        addresses = {
            name: self._environment[name]
            for name in ("ACTIVITY_KAFKA_BOOTSTRAP_SERVERS", "ACTIVITY_CLICKHOUSE_URL")
        }
        if self.settings.clickhouse_url is None:
            path = self._state.key_path("clickhouse")
            addresses["ACTIVITY_CLICKHOUSE_PASSWORD_FILE"] = str(path)
        remember(self._state, addresses)
        await _together(self._start_kafka(), self._start_clickhouse())
        await _together(
            self._serve("consumer", ["activity_consume"], f"{self.consumer_url}/readyz"),
            self._serve("api", ["activity_deploy.reading"], f"{self.api_url}/readyz"),
            self._serve("demo", ["activity_deploy.demo"], f"{self.demo_url}/healthz"),
        )

    async def stop(self) -> None:
        """Whatever runs, within 10 s: who produces first, who stores last."""
        self._stopping = True
        await self._stop(_DEMO_PATIENCE_S, "demo")
        await self._stop(_SERVICES_PATIENCE_S, "consumer", "api", "migrate")
        if self._broker is not None:
            self._children["kafka"] = self._broker.process
        await self._stop(_STORES_PATIENCE_S, "clickhouse", "kafka")
        await asyncio.gather(*self._watches)

    async def _start_kafka(self) -> None:
        if self.settings.transport == "spool":
            return
        started = time.monotonic()
        if self.settings.kafka_bootstrap_servers is None:
            self._broker = KafkaBroker(
                self._state.kafka, port=self.settings.kafka_port, log=self._state.log("kafka")
            )
            await self._broker.start()
            self._watch(self._broker.process)
        await create(self.kafka_servers, event_topics(KafkaSettings(), _PARTITIONS))
        _say("Kafka", self.kafka_servers, started)

    async def _start_clickhouse(self) -> None:
        started = time.monotonic()
        if self.settings.clickhouse_url is None:
            port = str(self.settings.clickhouse_port)
            arguments = [
                "activity_deploy.clickhouse",
                "--path",
                str(self._state.clickhouse),
                "--port",
                port,
            ]
            clickhouse = await self._run("clickhouse", arguments)
            await wait_ready(f"{self.clickhouse_url}/ping", clickhouse)
        migrate = await self._run("migrate", ["activity_deploy.migrate"], watched=False)
        if await migrate.wait() != 0:
            raise UserError(migrate.ended())
        _say("ClickHouse", self.clickhouse_url, started)

    async def _serve(self, name: str, module: list[str], url: str) -> None:
        started = time.monotonic()
        await wait_ready(url, await self._run(name, module))
        _say(name, url.rpartition("/")[0], started)

    async def _run(self, name: str, module: list[str], *, watched: bool = True) -> Process:
        process = Process(
            name, [sys.executable, "-m", *module], self._state.log(name), self._environment
        )
        self._children[name] = process
        await process.start()
        if watched:
            self._watch(process)
        return process

    def _watch(self, process: Process) -> None:
        async def watch() -> None:
            await process.wait()
            if not self._stopping and not self.ended.done():
                self.ended.set_result(process)

        self._watches.add(asyncio.create_task(watch()))

    async def _stop(self, patience: float, *names: str) -> None:
        found = [self._children[name] for name in names if name in self._children]
        await asyncio.gather(*(process.stop(patience) for process in found))


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """All at once; the first that fails ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _say(name: str, address: str, started: float) -> None:
    print(f"activity: {name} on {address} ({time.monotonic() - started:.1f} s)", flush=True)
