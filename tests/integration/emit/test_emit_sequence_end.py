"""What a killed worker took with it shows as a gap in `seq`, and nothing else does."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
from tests.integration.emit.harness import DEADLINE_S, WORKERS, environment, spooled, until

# Ten events that reach the spool, and seven that do not: they wait for the next flush, for ever.
# `fork`: a child that lives on, such as a service's own worker.
PROGRAM = """
import os, signal, sys
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers="127.0.0.1:1"),
    EmitSettings(worker=sys.argv[2]), SpoolSettings(dir=Path(sys.argv[1])),
)
for _ in range(10):
    events.record(org_id="o1", action="create")
while not events.counts().spooled or events.counts().queued:
    pass
pid = events.forwarder_pid
if sys.argv[3] == "fork" and os.fork() == 0:
    os.close(1)
    signal.pause()
# Whoever would take them is stopped: the forwarder, or the thread.
if pid:
    os.kill(pid, signal.SIGSTOP)
else:
    events._engine._call(signal.pause)
for _ in range(7):
    events.record(org_id="o1", action="create")
print(pid or 0, flush=True)
signal.pause()
"""


@pytest.fixture
def tallies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACTIVITY_SPOOL_TALLY_DIR", str(tmp_path / "tallies"))
    return tmp_path / "tallies"


def publisher(
    spool: Path, worker: str = "process", *, max_bytes: int = 1 << 20, **settings: Any
) -> KafkaPublisher:
    """Its broker is away, so that events stay where a test can read them."""
    return KafkaPublisher(
        KafkaSettings(bootstrap_servers="127.0.0.1:1"),
        EmitSettings.model_validate({"worker": worker, "stop_timeout_s": 0, **settings}),
        SpoolSettings(dir=spool, max_bytes=max_bytes),
    )


def events_of(spool: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in spooled(spool) or []]


def left(tallies: Path) -> list[Path]:
    return list(tallies.iterdir())


async def killed(spool: Path, worker: str, fork: str = "") -> int:
    """A worker and its forwarder, in the middle of its work; its process id."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, str(spool), worker, fork),
        stdout=asyncio.subprocess.PIPE,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    forwarder = int(await asyncio.wait_for(process.stdout.readline(), DEADLINE_S))
    process.kill()
    if forwarder:
        os.kill(forwarder, signal.SIGKILL)
    await process.wait()
    return process.pid


@pytest.mark.parametrize("worker", WORKERS)
async def test_the_next_worker_shows_how_many_are_gone(
    tmp_path: Path, tallies: Path, worker: str
) -> None:
    spool = tmp_path / "spool"
    await killed(spool, worker)
    with publisher(spool, worker) as successor:
        successor.record(org_id="o1", action="read")
        successor.record(org_id="o1", action="read")
        await until(lambda: len(events_of(spool)) == 12)
        await until(lambda: len(left(tallies)) == 1)  # its own
    found = events_of(spool)
    dead = [one for one in found if one["action"] == "create"]
    closing, own = (one for one in found if one["action"] == "read")
    assert [one["seq"] for one in dead] == list(range(10))
    assert (closing["producer_id"], closing["seq"]) == (dead[0]["producer_id"], 17)
    assert own["producer_id"] != closing["producer_id"]
    assert own["seq"] == 0


async def test_a_forked_child_that_lives_on_does_not_hide_it(tmp_path: Path, tallies: Path) -> None:
    spool = tmp_path / "spool"
    pid = await killed(spool, "process", "fork")
    try:
        with publisher(spool) as successor:
            successor.record(org_id="o1", action="read")
            await until(lambda: len(events_of(spool)) == 11)
    finally:
        os.killpg(pid, signal.SIGKILL)  # the child, in the dead one's session
    assert [one["seq"] for one in events_of(spool) if one["action"] == "read"] == [17]
    assert not left(tallies)


@pytest.mark.parametrize("worker", WORKERS)
async def test_who_ends_in_order_leaves_nothing_to_show(
    tmp_path: Path, tallies: Path, worker: str
) -> None:
    spool = tmp_path / "spool"
    events = publisher(spool, worker)
    for round_ in (1, 2):
        for number in range(5):
            events.record(org_id="o1" if number else "", action="create")  # without an org: none
        await until(lambda: len(events_of(spool)) % 4 == 0 and events.counts().queued == 0)
        assert events.counts().accepted == 5 * round_
        events.stop()
        assert len(events_of(spool)) == 4 * round_
        assert not left(tallies)
    by_producer = [(one["producer_id"], one["seq"]) for one in events_of(spool)]
    assert len({producer for producer, _ in by_producer}) == 2
    assert sorted(seq for _, seq in by_producer) == [0, 0, 1, 1, 2, 2, 3, 3]


async def test_a_forwarder_that_is_killed_alone_is_closed_by_the_next(
    tmp_path: Path, tallies: Path
) -> None:
    spool = tmp_path / "spool"
    with publisher(spool) as events:
        for _ in range(10):
            events.record(org_id="o1", action="create")
        await until(lambda: len(events_of(spool)) == 10 and events.forwarder_pid is not None)
        first = events.forwarder_pid
        assert first is not None
        os.kill(first, signal.SIGSTOP)
        for _ in range(7):
            events.record(org_id="o1", action="create")
        await until(lambda: not events._queue)  # they are in the dead one's socket
        os.kill(first, signal.SIGKILL)
        # While it is dying its socket still takes what comes, and that would be lost with it.
        with contextlib.suppress(ChildProcessError):
            await asyncio.to_thread(os.waitid, os.P_PID, first, os.WEXITED | os.WNOWAIT)
        await until(
            lambda: events.record(org_id="o1", action="read") and events.forwarder_pid != first
        )
        await until(lambda: "read" in {one["action"] for one in events_of(spool)})
        await until(lambda: len(left(tallies)) == 1)
    found = events_of(spool)
    [closing] = [one for one in found if one["action"] == "read" and one["seq"] == 17]
    assert closing["producer_id"] == found[0]["producer_id"]
    own = [one["seq"] for one in found if one["producer_id"] != closing["producer_id"]]
    assert own == list(range(len(own)))


@pytest.mark.parametrize("worker", WORKERS)
async def test_what_the_full_spool_refused_last_shows_by_the_next_worker(
    tmp_path: Path, tallies: Path, worker: str
) -> None:
    spool = tmp_path / "spool"
    events = publisher(spool, worker, max_bytes=1)
    for _ in range(3):
        events.record(org_id="o1", action="create")
    await until(lambda: events.counts().spool_full == 3)
    events.stop()
    with publisher(spool, worker) as successor:
        successor.record(org_id="o1", action="read")
        await until(lambda: len(events_of(spool)) == 1)
    assert [one["seq"] for one in events_of(spool)] == [3]


@pytest.mark.parametrize("worker", WORKERS)
async def test_a_burst_that_fills_the_queue_at_once_counts_from_its_beginning(
    tmp_path: Path, tallies: Path, worker: str
) -> None:
    spool = tmp_path / "spool"
    events = publisher(spool, worker, queue_size=1, flush_ms=200)
    offered = [events.record(org_id="o1", action="create") for _ in range(6)]
    assert offered.count(True) == 1
    await until(lambda: len(events_of(spool)) == 1)
    events.stop()
    assert [one["seq"] for one in events_of(spool)] == [5]
    assert not left(tallies)


async def test_what_is_half_written_is_removed(tmp_path: Path, tallies: Path) -> None:
    spool = tmp_path / "spool"
    await killed(spool, "thread")
    [tally] = left(tallies)
    os.truncate(tally, 0)
    with publisher(spool) as successor:
        successor.record(org_id="o1", action="read")
        await until(lambda: len(events_of(spool)) == 11)
    assert [one["seq"] for one in events_of(spool) if one["action"] == "read"] == [0]
    assert not left(tallies)


@pytest.fixture
def everybodys(tallies: Path) -> Path:
    tallies.mkdir()
    tallies.chmod(0o777)
    return tallies


async def test_a_folder_that_is_not_ours_alone_is_left_alone(
    tmp_path: Path, everybodys: Path
) -> None:
    spool = tmp_path / "spool"
    with publisher(spool) as events:
        events.record(org_id="o1", action="create")
        await until(lambda: len(events_of(spool)) == 1)
        assert not left(everybodys)
