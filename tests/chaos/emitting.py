"""Services with the middleware, requests to them, and what their answers promise."""

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from activity_deploy.process.ports import HOST, free_ports
from activity_deploy.process.process import Process
from activity_schemas.uuid7 import uuid7
from tests.chaos.emit_unprotected import SETTINGS
from tests.chaos.run import ORGS, Run
from tests.support.wait import on_this_machine, wait_until

# What a service that is killed outright may lose: the events of its last 20 ms (`flush_ms`), and
# of the time by which a machine's scheduler is late.
_FLUSH_S, _LATE_S = 0.02, 0.08
# An event is counted when the answer's last byte is out; a kill can come in between.
_UNCOUNTED_S = 0.005
_CLIENTS = 4


class Service:
    """One worker process. `lives`: how often it was started."""

    def __init__(self, run: Run, number: int, environment: dict[str, str]) -> None:
        [self.port] = free_ports(1)
        self._process_mode = environment["ACTIVITY_EMIT_WORKER"] == "process"
        self.process = Process(
            "service",
            [sys.executable, "-m", "tests.chaos.emit_service", run.without],
            run.stack.directory / f"{run.topic}-service-{number}.log",
            {**environment, "CHAOS_PORT": str(self.port)},
        )
        self.lives = 0
        self.up = False
        self.forwarder: int | None = None

    async def start(self) -> None:
        """Returns when it answers, and its forwarder is there."""
        await self.process.start()
        await wait_until(self._answers, 30, "the service answers")
        self.lives += 1
        self.up = True

    async def kill(self) -> None:
        """kill -9 of the service and its forwarder, as when their host ends."""
        if not self.process.running:
            return
        self.up = False
        for pid in (self.process.pid, self.forwarder):
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.forwarder = None
        await self.process.wait()

    async def stop(self) -> None:
        """In order; what it cannot publish stays in its spool."""
        self.up = False
        await self.process.stop(15)

    async def _answers(self) -> bool:
        assert self.process.running, f"the service ended: {self.process.output()}"
        with contextlib.suppress(httpx.HTTPError):
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://{HOST}:{self.port}/numbers")
            self.forwarder = answer.json()["forwarder"]
            return not self._process_mode or self.forwarder is not None
        return False


class Emitting:
    """`settings` by the variables' names without `ACTIVITY_`, in lower case."""

    def __init__(self, run: Run, services: int = 1, **settings: Any) -> None:
        self._run = run
        self._ledger = run.ledger
        self._ledger.key = "app_id"
        self.spool = run.stack.directory / f"{run.topic}-spool"
        environment = {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": run.stack.proxied_bootstrap,
            "ACTIVITY_KAFKA_TOPIC": run.topic,
            "ACTIVITY_SPOOL_DIR": str(self.spool),
            "ACTIVITY_SPOOL_TALLY_DIR": str(run.stack.directory / "tally"),
            "ACTIVITY_EMIT_WORKER": "process",
            **{f"ACTIVITY_{name.upper()}": str(value) for name, value in settings.items()},
            **SETTINGS.get(run.without, {}),
        }
        self.services = [Service(run, number, environment) for number in range(services)]
        self._answered: dict[str, tuple[float, Service]] = {}
        self._promised: set[str] = set()
        self._open: dict[str, Service] = {}  # requests without an answer
        run.others += self.services
        run.before_drained.append(lambda: not any(self.spooled()))

    async def start(self) -> None:
        """All of them."""
        await asyncio.gather(*(service.start() for service in self.services))

    @contextlib.asynccontextmanager
    async def requests(self, rate: float, seconds: float) -> AsyncIterator[None]:
        """Requests at a steady rate (1/s) while the block runs; all answered at its end."""
        numbers, begun = itertools.count(), time.monotonic()

        async def client() -> None:
            async with httpx.AsyncClient(timeout=10) as http:
                while (due := next(numbers) / rate) < seconds:
                    await asyncio.sleep(max(0.0, begun + due - time.monotonic()))
                    await self._request(http)

        tasks = [asyncio.create_task(client()) for _ in range(_CLIENTS)]
        try:
            yield
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def kill(self, service: Service, *, durable: bool = False) -> None:
        """kill -9; without `durable` its answers of the last 20 ms promise nothing that is not in
        the spool."""
        at = time.monotonic()
        await service.kill()
        # What it answered before may not have been read here yet; it counts as answered in time.
        begun = {one for one, who in self._open.items() if who is service}
        await wait_until(lambda: begun.isdisjoint(self._open), 30, "its last requests have ended")
        if not durable:
            tail = _FLUSH_S + on_this_machine(_LATE_S)
            kept = set(self.spooled())
            self._ledger.excused |= {
                one: max(0.0, at - when)
                for one, (when, who) in self._answered.items()
                if who is service and when > at - tail and one not in kept
            }

    def promise(self, *, only_shown: bool = False) -> None:
        """What was answered since the last promise is in the table in the end; with `only_shown` it
        is there, or a gap in `seq` says that it is not: also what a killed service may lose."""
        excused = {
            one for one, age in self._ledger.excused.items() if age < _UNCOUNTED_S or not only_shown
        }
        promised = self._answered.keys() - excused - self._promised
        self._promised |= promised
        self._ledger.shown |= promised
        if not only_shown:
            self._ledger.acknowledged |= promised

    def spooled(self) -> Iterator[str]:
        """The `app_id` of each event that any spool holds."""
        for path in self.spool.rglob("*.spool"):
            yield from _app_ids(path)

    async def _request(self, http: httpx.AsyncClient) -> None:
        random = self._run.random
        service = random.choice([one for one in self.services if one.up] or self.services)
        lives = service.lives
        org_id, app_id = f"{self._run.topic}-org{random.randrange(ORGS)}", uuid7().hex
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        self._ledger.attempted[app_id] = {"app_id": app_id, "org_id": org_id, "timestamp": now}
        self._open[app_id] = service
        try:
            answer = await http.post(
                f"http://{HOST}:{service.port}/v1/orgs/{org_id}/workspaces/w1/apps/{app_id}"
            )
        except httpx.HTTPError:
            self._ledger.failed += service.up and service.lives == lives
            return
        finally:
            del self._open[app_id]
        if answer.status_code == 200:
            self._answered[app_id] = time.monotonic(), service
        else:
            self._ledger.failed += 1


def _app_ids(path: Path) -> list[str]:
    # A spool that was closed in order has no WAL, and without one SQLite wants to write to read.
    mode = "mode=ro" if path.with_suffix(".spool-wal").exists() else "immutable=1"
    try:
        with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?{mode}", uri=True)) as db:
            rows = db.execute("SELECT lines FROM outbox ORDER BY row").fetchall()
    except sqlite3.OperationalError as error:
        if path.exists() and "no such table" not in str(error):
            raise
        return []  # just being made, or removed
    return [json.loads(line)["app_id"] for (lines,) in rows for line in lines.split(b"\n")]
