"""One service under load, with what it and its forwarder use, from /proc."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from activity_deploy.errors import UserError
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.bench.emit_load import service_core
from tests.bench.emit_machine import cpu_s, rss_mb
from tests.support.wait import wait_until


@dataclass(frozen=True, slots=True)
class Use:
    """CPU µs of the service and of its forwarder since their start; MB they have now."""

    service_us: float
    forwarder_us: float
    rss_mb: float


class Observed:
    """`emit`: with the middleware. It runs from `start` to `stop`."""

    def __init__(self, name: str, directory: Path, environment: Mapping[str, str] | None = None):
        [port] = free_ports(1)
        self.name = name
        self.url = f"http://127.0.0.1:{port}"
        self.spool = directory / f"spool-{name}"
        self.forwarder: int | None = None
        self._emits = environment is not None
        self.process = Process(
            name,
            [sys.executable, "-m", "tests.bench.emit_service"],
            directory / f"{name}.log",
            {
                "BENCH_PORT": str(port),
                "BENCH_EMIT": "1" if self._emits else "0",
                "ACTIVITY_SPOOL_DIR": str(self.spool),
                "ACTIVITY_SPOOL_MAX_BYTES": str(16 << 30),
                **(environment or {}),
            },
        )

    async def start(self) -> None:
        """Returns when it answers, and its forwarder has reported."""
        await self.process.start()

        async def ready() -> bool:
            if not self.process.running:
                raise UserError(self.process.ended())
            try:
                self.forwarder = (await self.numbers()).get("forwarder")
            except httpx.HTTPError:
                return False
            return self.forwarder is not None or not self._emits

        await wait_until(ready, 30, f"{self.name} answers")
        # The loop's thread, in every arm, and not the forwarder: where the kernel moves it onto the
        # generator's core now and then, a round measures that.
        os.sched_setaffinity(self.process.pid, {service_core()})

    async def numbers(self) -> dict[str, Any]:
        """`handled` requests; `counts` of the publisher."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}/numbers", timeout=30)
        found: dict[str, Any] = answer.json()
        return found

    async def waiting(self) -> int:
        """Events that Kafka has not acknowledged yet; lost ones do not wait."""
        numbers = await self.numbers()
        lost = sum(numbers["counts"][name] for name in ("dropped", "spool_full", "failed"))
        return int(numbers["handled"] - numbers["counts"]["published"] - lost)

    def use(self) -> Use:
        """Now."""
        return Use(
            cpu_s(self.process.pid) * 1e6,
            cpu_s(self.forwarder) * 1e6,
            rss_mb(self.process.pid) + rss_mb(self.forwarder),
        )
