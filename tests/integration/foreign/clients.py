"""The foreign clients: what each can do, and how its program is made and run."""

import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from activity_deploy.kafka.jars import directory as jars
from activity_deploy.kafka.java import java
from tests.integration.foreign.plan import CODECS, Producer
from tests.support.programs import ROOT, ended

_HERE = Path(__file__).parent
_MADE = ROOT / ".state" / "foreign"


@dataclass(frozen=True, slots=True)
class Client:
    """`partitioners`: besides its default. `needs`: the program without which it is not made.
    `murmur2`: its default partitioner puts a key where Java's does."""

    name: str
    command: Callable[[], Sequence[object]]
    partitioners: tuple[str, ...]
    codecs: tuple[str, ...] = CODECS
    murmur2: bool = True
    needs: str = ""

    @property
    def is_here(self) -> bool:
        """The machine has what it is made with."""
        return not self.needs or shutil.which(self.needs) is not None

    async def make(self) -> None:
        """What has to be fetched and compiled; once, by the Makefile."""
        if self.needs:
            await _run("make", "--silent", f"foreign-{self.name}")

    async def send(
        self, bootstrap: str, topic: str, producers: Sequence[Producer], directory: Path
    ) -> None:
        """Returns when all is acknowledged. Raises AssertionError with what the program says."""
        plan = directory / f"{producers[0].id}.jsonl"
        plan.write_text("\n".join(one.line() for one in producers))
        await _run(*self.command(), bootstrap, topic, plan)


CLIENTS = [
    Client(
        "librdkafka",
        lambda: [sys.executable, "-m", "tests.integration.foreign.librdkafka"],
        ("murmur2_random", "fnv1a_random"),
        murmur2=False,
    ),
    Client(
        "java",
        lambda: [java(), "-cp", f"{jars()}/*", _HERE / "Send.java"],
        ("org.apache.kafka.clients.producer.RoundRobinPartitioner",),
    ),
    Client("franz", lambda: [_MADE / "franz"], ("round_robin",), needs="go"),
    Client(
        "kafkajs",
        lambda: ["node", _MADE / "kafkajs" / "send.mjs"],
        ("legacy",),
        codecs=("none", "gzip", "snappy"),
        needs="npm",
    ),
]


async def _run(*command: object) -> None:
    code, output, _ = await ended(*command, merged=True)
    assert code == 0, f"{command[0]}: {output}"
