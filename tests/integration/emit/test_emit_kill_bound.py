"""Everything killed in the middle of the work: how much is gone, and that it is the end of it."""

import asyncio
import json
import os
import signal
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.emit.harness import DEADLINE_S, WORKERS, environment, spooled

ROUNDS = 5
# Records an event every millisecond, and says when. There is no broker.
PROGRAM = """
import os, sys, threading, time
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers="127.0.0.1:1"),
    EmitSettings(worker=sys.argv[2]), SpoolSettings(dir=Path(sys.argv[1])),
)
pause = threading.Event()
def record():
    events.record(org_id="o1", action="create")
    return time.time_ns()
first = record()
while not events.counts().spooled:  # it is up
    pause.wait(0.01)
print(events.forwarder_pid or 0, first, sep="\\n", flush=True)
while True:
    os.write(1, b"%d\\n" % record())
    pause.wait(0.001)
"""


@dataclass(frozen=True, slots=True)
class Killed:
    """`recorded`: Unix seconds of each event; `committed`: their numbers in the spool."""

    recorded: list[float]
    committed: list[int]
    at: float

    @property
    def gone_s(self) -> float:
        """How long before its death the first event that is gone was recorded."""
        gone = self.recorded[len(self.committed) :]
        return self.at - gone[0] if gone else 0.0


async def kill(spool: Path, worker: str, after: int) -> Killed:
    """Both processes, at once, when `after` events were recorded."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(spool), worker),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    forwarder = int(await process.stdout.readline())
    lines = [await process.stdout.readline() for _ in range(after)]
    at = time.time()
    process.kill()
    if forwarder:
        os.kill(forwarder, signal.SIGKILL)
    lines += (await process.stdout.read()).splitlines(keepends=True)
    await process.wait()
    recorded = [int(line) / 1e9 for line in lines if line.endswith(b"\n")]
    committed = [json.loads(line)["seq"] for line in spooled(spool) or []]
    return Killed(recorded, committed, at)


@pytest.mark.parametrize("worker", WORKERS)
async def test_only_the_last_20_ms_are_gone(tmp_path: Path, worker: str) -> None:
    rounds: list[Killed] = []
    async with asyncio.timeout(4 * DEADLINE_S):
        for number in range(ROUNDS):
            rounds.append(await kill(tmp_path / str(number), worker, 200 + 37 * number))
    for one in rounds:
        # What is there is all from the first on: nothing that was committed is gone.
        assert one.committed == list(range(len(one.committed)))
        assert len(one.committed) > 100
    gone = [one.gone_s for one in rounds]
    # The rest is what a busy machine adds to the last flush.
    assert min(gone) < 0.02, gone
    assert statistics.median(gone) < 0.1, gone
