"""`python -m tests.bench.emit`: what the middleware costs a service, while all is well and not.

Rounds of load, interleaved: a bare service, the same one observed, observed with a slow disk below
its spool; then bare and observed while the broker is away. Then the broker comes back, and every
request that was handled must be in Kafka, once. The last line is one JSON object; exit status 1
where a figure misses what docs/emit.md promises.
"""

import argparse
import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from activity_deploy.errors import UserError
from activity_deploy.kafka.broker import KafkaBroker
from activity_deploy.kafka.topics import Topic, create
from tests.bench.emit_disk import slow_disk
from tests.bench.emit_ledger import arrived
from tests.bench.emit_load import load, wrk
from tests.bench.emit_machine import busy_s, cpu_s
from tests.bench.emit_observed import Observed
from tests.bench.emit_report import Report, Round
from tests.support.wait import wait_until

PARTITIONS = 4
_DELIVERY_S = 1800.0
_OTHERS = 0.1


class Bench:
    """The services, the broker, and the rounds played so far."""

    def __init__(self, directory: Path, arguments: argparse.Namespace) -> None:
        self.directory = directory
        self.arguments = arguments
        self.broker = KafkaBroker(directory / "kafka")
        self.bare = Observed("bare", directory)
        self.observed = self._observed("observed", {})
        self.slow = self._observed("slow_disk", slow_disk(directory / "spool-slow_disk", directory))
        self.services = [self.bare, self.observed, self.slow]
        self.report = Report()

    def _observed(self, name: str, environment: dict[str, str]) -> Observed:
        kafka = {
            "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": self.broker.bootstrap_servers,
            "ACTIVITY_KAFKA_TOPIC": name,
        }
        return Observed(name, self.directory, {**kafka, **environment})

    async def run(self) -> None:
        """All of it."""
        async with contextlib.AsyncExitStack() as stack:
            await self.broker.start()
            stack.push_async_callback(self.broker.stop)
            topics = [Topic(one.name, PARTITIONS) for one in (self.observed, self.slow)]
            await create(self.broker.bootstrap_servers, topics)
            for one in self.services:
                await one.start()
                stack.push_async_callback(one.process.stop)
            for one in self.services:
                await self._play(one, "warm-up")
            for number in range(self.arguments.rounds):
                await self._cycle("well", self.services, number)
            await self._while_broker_is_away()
            for one in (self.observed, self.slow):
                await self._delivered(one)

    async def _cycle(self, phase: str, services: Sequence[Observed], number: int) -> None:
        """Each service once; who begins changes, so that drift is shared."""
        turn = number % len(services)
        for one in (*services[turn:], *services[:turn]):
            await self._play(one, phase, number)

    async def _play(self, one: Observed, phase: str, number: int = 0) -> None:
        arguments = self.arguments
        for again in range(arguments.tries):
            before, others = one.use(), self._others()
            done = await load(
                one.url,
                arguments.seconds,
                arguments.connections,
                arguments.think_ms,
                self.directory,
            )
            # As a share of one core: a machine that has other things to do measures nothing.
            busy = (self._others() - others) / arguments.seconds
            last = again + 1 == arguments.tries or busy < _OTHERS
            self.report.add(Round(phase, number, one.name, done, before, one.use(), busy, last))
            if last:
                break

    def _others(self) -> float:
        """CPU seconds of the machine since its start that are not ours."""
        ours = [self.broker.process.pid, os.getpid()]
        for one in self.services:
            ours += [one.process.pid, one.forwarder or 0]
        children = os.times()  # wrk, each time it has ended
        waited_for = children.children_user + children.children_system
        return busy_s() - waited_for - sum(cpu_s(pid) for pid in ours)

    async def _while_broker_is_away(self) -> None:
        await self.broker.kill()
        began = time.monotonic()
        number = 0
        while number < 3 or time.monotonic() - began < self.arguments.away_s:
            await self._cycle("away", (self.bare, self.observed), number)
            number += 1
        self.report.say(f"the broker was away for {time.monotonic() - began:.0f} s")
        await self.broker.start()

    async def _delivered(self, one: Observed) -> None:
        began = time.monotonic()

        async def all_acknowledged() -> bool:
            return await one.waiting() == 0

        await wait_until(all_acknowledged, _DELIVERY_S, f"{one.name}: everything is in Kafka")
        numbers = await one.numbers()
        found = await arrived(self.broker.bootstrap_servers, one.name)
        self.report.delivered(one.name, numbers, found, time.monotonic() - began)


async def bench(arguments: argparse.Namespace) -> int:
    """The exit status."""
    wrk()
    with tempfile.TemporaryDirectory(prefix="bench-emit-") as directory:
        run = Bench(Path(directory), arguments)
        await run.run()
    return run.report.conclude()


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.emit", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="of each kind, while all is well")
    parser.add_argument("--seconds", type=int, default=3, help="of each round")
    parser.add_argument(
        "--connections",
        type=int,
        default=16,
        help="too few, and the service waits for the generator, which shares its core",
    )
    parser.add_argument("--think-ms", type=int, default=0, help="0: as fast as it goes")
    parser.add_argument(
        "--tries", type=int, default=3, help="a round is repeated while others use the machine"
    )
    parser.add_argument("--away-s", type=float, default=30, help="how long the broker is away")
    try:
        return asyncio.run(bench(parser.parse_args()))
    except UserError as error:
        sys.stderr.write(f"bench-emit: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
