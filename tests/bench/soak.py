"""`python -m tests.bench.soak --minutes 120`: hours at half of the maximum load, parts restarted
all the time.

Three consumers, a broker, the engine, the read API; events come evenly. Every `--restart-s` another
part gets SIGTERM or SIGKILL, in turn. A line a minute: memory, open files and connections of the
parts, lag. At the end: lost, duplicate, ghost (rows nobody sent), drift (API's total against the
table's), and by how much memory and files have grown, the second half's median against the
first's. Exit status 1 where one of the four is not 0. The last line is one JSON object.
"""

import argparse
import asyncio
import contextlib
import functools
import itertools
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import httpx
from aiokafka import AIOKafkaProducer
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_deploy.kafka.topics import Topic, create
from tests.bench.emit_machine import rss_mb
from tests.chaos.stack import DATABASE, Stack
from tests.support.consumer import Consumer, event, message
from tests.support.wait import wait_until

_TOPIC = "soak"
_PARTITIONS = 12
_ORGS = 20
_PATIENCE_S = 600


@dataclass(slots=True)
class Sample:
    """One moment. MB, open files and TCP connections of consumers (all), engine and broker."""

    minute: float
    sent: int
    rows: int
    memory_mb: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)

    @property
    def lag(self) -> int:
        return self.sent - self.rows


class Soak:
    """On a stack of the chaos harness, whose counting it does by itself."""

    def __init__(self, stack: Stack, rate: float, restart_s: float) -> None:
        self._stack = stack
        self._rate = rate
        self._restart_s = restart_s
        self._ids: set[str] = set()
        self._sent = 0
        self._members: list[Consumer] = []
        self._ended = asyncio.Event()
        self.samples: list[Sample] = []
        self.restarts: list[str] = []

    async def run(self, minutes: float) -> dict[str, int]:
        """Load, restarts and samples for so long; then what was counted."""
        topics = [Topic(_TOPIC, _PARTITIONS), Topic(f"{_TOPIC}.dlq", 1)]
        await create(self._stack.bootstrap, topics)
        self._members = [await self._start(number) for number in range(3)]
        for member in self._members:
            await member.ready(_PATIENCE_S)
        began = time.monotonic()
        work = [
            asyncio.create_task(each)
            for each in (self._load(), self._disturb(), self._watch(began))
        ]
        # Not to the end where one of them breaks off.
        await asyncio.wait(work, timeout=minutes * 60, return_when=asyncio.FIRST_EXCEPTION)
        self._ended.set()
        await asyncio.gather(*work)
        for member in self._members:
            await member.ready(_PATIENCE_S)
        counted = await self._count()
        await asyncio.gather(*(member.process.stop() for member in self._members))
        return counted

    async def _start(self, number: int) -> Consumer:
        log = self._stack.directory / f"consumer-{number}-{time.monotonic_ns()}.log"
        consumer = Consumer(self._stack.bootstrap, _TOPIC, self._stack.engine.url, DATABASE, log)
        await consumer.process.start()
        return consumer

    async def _load(self) -> None:
        """Evenly; a broker that is away holds it up, and then it catches up."""
        async with AIOKafkaProducer(
            bootstrap_servers=self._stack.bootstrap,
            acks="all",
            linger_ms=10,
            enable_idempotence=True,
            # Also how long a record may wait for a broker that starts anew.
            request_timeout_ms=_PATIENCE_S * 1000,
        ) as producer:
            due, sent = time.monotonic(), []
            for number in itertools.count():
                if self._ended.is_set():
                    break
                one = event(f"soak-{number % _ORGS}", seq=number, producer_id="soak")
                key = one["org_id"].encode()
                sent.append((one["id"], await producer.send(_TOPIC, message(one), key)))
                self._sent += 1
                if len(sent) >= 5000:
                    await self._acknowledged(sent)
                    sent = []
                due += 1 / self._rate
                if (ahead := due - time.monotonic()) > 0:
                    await asyncio.sleep(ahead)
            await self._acknowledged(sent)

    async def _acknowledged(self, sent: list[tuple[str, Any]]) -> None:
        await asyncio.gather(*(future for _, future in sent))
        self._ids |= {id_ for id_, _ in sent}

    async def _disturb(self) -> None:
        ways: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            ("consumer 0 SIGTERM", functools.partial(self._replace, 0)),
            ("consumer 1 SIGTERM", functools.partial(self._replace, 1)),
            ("consumer 2 SIGTERM", functools.partial(self._replace, 2)),
            ("engine SIGTERM", self._stack.engine.restart),
            ("consumer 0 SIGKILL", functools.partial(self._replace, 0, kill=True)),
            ("broker SIGTERM", self._stack.kafka.restart),
            ("engine SIGKILL", self._kill_engine),
        ]
        for name, act in itertools.cycle(ways):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._restart_s)
            if self._ended.is_set():
                return
            await act()
            self.restarts.append(name)

    async def _replace(self, number: int, *, kill: bool = False) -> None:
        process = self._members[number].process
        await (process.kill() if kill else process.stop(20))
        self._members[number] = await self._start(number)

    async def _kill_engine(self) -> None:
        await self._stack.engine.kill()
        await self._stack.engine.start()

    async def _watch(self, began: float) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), 20)
            with contextlib.suppress(ClickHouseError, OSError, AssertionError):
                self.samples.append(await self._sample(began))
                _say(self.samples[-1])

    async def _sample(self, began: float) -> Sample:
        pids = {
            "consumers": [member.process.pid for member in self._members],
            "engine": [self._stack.engine.pid],
            "broker": [self._stack.kafka.process.pid],
        }
        minute = round((time.monotonic() - began) / 60, 1)
        sample = Sample(minute, self._sent, await self._number("SELECT count() FROM events"))
        for part, found in pids.items():
            sample.memory_mb[part] = round(sum(map(rss_mb, found)))
            links = [_links(pid) for pid in found]
            sample.files[part] = sum(len(some) for some in links)
            sample.connections[part] = sum("socket:" in one for some in links for one in some)
        return sample

    async def _count(self) -> dict[str, int]:
        async def all_in() -> bool:
            return await self._number("SELECT uniqExact(id) FROM events") >= len(self._ids)

        began = time.monotonic()
        with contextlib.suppress(AssertionError):
            await wait_until(all_in, _PATIENCE_S, "all events are in the table")
        answer = await self._stack.clickhouse.query("SELECT toString(id) FROM events")
        rows = [row[0] for row in answer.result_rows]
        shown = 0
        for org in range(_ORGS):
            async with self._stack.api(f"soak-{org}") as api:
                page: httpx.Response = await api.get("/activity", params={"limit": 1})
                shown += page.json()["total"]
        return {
            "events": len(self._ids),
            "lost": len(self._ids - set(rows)),
            "duplicate": len(rows) - len(set(rows)),
            "ghost": len(set(rows) - self._ids),
            "drift": abs(shown - len(rows)),
            "lag_gone_after_s": round(time.monotonic() - began),
        }

    async def _number(self, sql: str) -> int:
        return int((await self._stack.clickhouse.query(sql)).result_rows[0][0])


def _links(pid: int) -> list[str]:
    found = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found.append(str(link.readlink()))
    return found


def _say(sample: Sample) -> None:
    parts = "  ".join(
        f"{part} {sample.memory_mb[part]} MB {sample.files[part]} files"
        f" {sample.connections[part]} connections"
        for part in sample.memory_mb
    )
    sys.stdout.write(
        f"{sample.minute:6.1f} min  sent {sample.sent:>9}  lag {sample.lag:>7}  {parts}\n"
    )
    sys.stdout.flush()


def growth(samples: list[Sample]) -> dict[str, float]:
    """The second half's median by the first's; the first tenth is warming up."""
    settled = samples[len(samples) // 10 :]
    early, late = settled[: len(settled) // 2], settled[len(settled) // 2 :]
    if not early or not late:
        return {}
    found = {}
    for what in ("memory_mb", "files", "connections"):
        for part in getattr(early[0], what):
            before = median(getattr(one, what)[part] for one in early)
            after = median(getattr(one, what)[part] for one in late)
            found[f"{what} {part}"] = round(after / max(1, before), 2)
    return found


async def soak(minutes: float, rate: float, restart_s: float, directory: Path) -> int:
    """The exit status."""
    async with Stack(directory).running() as stack:
        run = Soak(stack, rate, restart_s)
        counted = await run.run(minutes)
    figures = {
        "minutes": minutes,
        **counted,
        "restarts": len(run.restarts),
        "growth": growth(run.samples),
    }
    sys.stdout.write(json.dumps({"soak": figures}) + "\n")
    return 1 if any(counted[name] for name in ("lost", "duplicate", "ghost", "drift")) else 0


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--rate", type=float, default=1000, help="events a second")
    parser.add_argument("--restart-s", type=float, default=600, help="between two restarts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        return asyncio.run(
            soak(arguments.minutes, arguments.rate, arguments.restart_s, Path(directory) / "soak")
        )


if __name__ == "__main__":
    sys.exit(main())
