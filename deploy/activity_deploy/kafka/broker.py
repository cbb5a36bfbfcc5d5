"""A Kafka broker as a child process."""

import asyncio
import base64
import re
import signal
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from activity_deploy.errors import UserError
from activity_deploy.kafka.configuration import HOST, Configuration, Node
from activity_deploy.kafka.jars import fetch
from activity_deploy.kafka.java import java
from activity_deploy.kafka.ready import answers
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process

READY_DEADLINE_S = 60.0

# C1 only and no parallel collector: a broker that is up in a second and leaves the cores to others.
_JVM = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-Djava.awt.headless=true")

_EXCEPTION = re.compile(r'(?:Exception in thread "\S+" )?[\w.$]+(?:Exception|Error): (.+)')


def cluster_id() -> str:
    """A new one, in the form that Kafka wants."""
    while True:
        found = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not found.startswith("-"):  # the format tool would take it for an option
            return found


class KafkaBroker:
    """Broker and controller in one JVM. Formats `directory` when it is new.

    The port stays the same over restarts; the data are on disk and outlive `kill`.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int | None = None,
        heap_mb: int = 256,
        settings: Mapping[str, str] | None = None,
        voters: Sequence[Node] = (),
        node: Node | None = None,
        log: Path | None = None,
    ) -> None:
        """`port`: None is any free one. `settings`: server.properties, over the defaults.

        `voters` and `node` are given by KafkaCluster. `log`: by default in `directory`.
        """
        if node is None:
            broker_port, controller_port = free_ports(2)
            node = Node(1, port or broker_port, controller_port)
        self.node = node
        self._directory = directory.resolve()
        self._configuration = Configuration(
            node, voters or (node,), self._directory / "data", settings or {}
        )
        self._meta = self._directory / "data" / "meta.properties"
        self._heap_mb = heap_mb
        self._log = log or self._directory / "kafka.log"
        self.process = Process(f"kafka-{node.id}", (), self._log)

    @property
    def bootstrap_servers(self) -> str:
        """For a client: host and port."""
        return self.node.address

    async def start(self, cluster: str | None = None) -> None:
        """Returns when it answers clients. Raises UserError: it ends before, or takes too long."""
        await self.launch(cluster)
        await self.wait_ready()

    async def launch(self, cluster: str | None = None) -> None:
        """Start without waiting. `cluster`: the id to format with."""
        properties = self._directory / "server.properties"
        self._directory.mkdir(parents=True, exist_ok=True)
        self._configuration.write(properties)
        jars = await asyncio.to_thread(fetch)
        command: list[str | Path] = [
            *(java(), f"-Xmx{self._heap_mb}m", "-Xms64m", *_JVM),
            f"-Dlog4j2.configurationFile={Path(__file__).parent / 'log4j2.properties'}",
            *("-cp", f"{jars}/*"),
        ]
        if not self._meta.exists():
            await self._format([*command, "kafka.tools.StorageTool"], properties, cluster)
        run = [*command, "kafka.Kafka", properties]
        self.process = Process(f"kafka-{self.node.id}", run, self._log)
        await self.process.start()

    async def _format(
        self, tool: Sequence[str | Path], properties: Path, cluster: str | None
    ) -> None:
        command = [*tool, "format", "--cluster-id", cluster or cluster_id()]
        process = Process("kafka format", [*command, "--config", properties], self._log)
        await process.start()
        try:
            code = await process.wait()
        finally:
            await process.kill()
        if code != 0:
            raise UserError(f"Kafka cannot use {self._directory}: {_reason(process)}")

    async def wait_ready(self) -> None:
        """Until clients are answered and the cluster counts this broker as alive."""
        deadline = time.monotonic() + READY_DEADLINE_S
        cluster = self._cluster()
        while not await answers(HOST, self.node.port, cluster, self.node.id):
            if not self.process.running:
                code = self.process.returncode
                raise UserError(f"Kafka ended with {code}: {_reason(self.process)}")
            if time.monotonic() > deadline:
                await self.process.kill()
                raise UserError(
                    f"Kafka did not answer within {READY_DEADLINE_S:.0f} s ({self._log})"
                )
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """SIGTERM: a controlled shutdown."""
        await self.process.stop()

    async def kill(self) -> None:
        """SIGKILL: what a power cut does to the process (not to the disk)."""
        await self.process.kill()

    async def restart(self) -> None:
        """On the same port and data; also after `kill`."""
        await self.process.stop()
        await self.start()

    def pause(self) -> None:
        """SIGSTOP: it holds its connections and answers nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    def _cluster(self) -> str:
        text = self._meta.read_text(encoding="utf-8")
        return next(
            line.partition("=")[2] for line in text.splitlines() if line.startswith("cluster.id=")
        )


def _reason(process: Process) -> str:
    """Of its end: the first exception's text, or the last thing it said; and where to read more."""
    lines = process.output()
    exceptions = (_EXCEPTION.match(line) for line in lines)
    text = next((found[1] for found in exceptions if found), lines[-1] if lines else "silence")
    return f"{text.rstrip('.')} (see {process.log})"
