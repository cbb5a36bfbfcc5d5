"""Workers, forwarders and forks: who dies loses nothing that was committed."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from activity_emit import (
    RESENT_HEADER,
)
from tests.integration.emit.harness import (
    DEADLINE_S,
    WORKERS,
    Relay,
    environment,
    publisher,
    read,
    spooled,
    topic_reader,
    until,
)


@pytest.mark.parametrize(("worker", "forwarder_too"), [("thread", False), ("process", True)])
async def test_a_worker_killed_outright_loses_nothing_it_committed(
    kafka_bootstrap: str, topic: str, tmp_path: Path, worker: str, forwarder_too: bool
) -> None:
    program = f"""
import sys
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers=sys.argv[1], topic={topic!r}),
    EmitSettings(worker={worker!r}), SpoolSettings(dir=Path(sys.argv[2])),
)
for number in range(500):
    events.record(org_id="o1", action="create", path=f"/{{number}}")
while True:
    sys.stdin.readline()
    while {worker!r} == "process" and not events.forwarder_pid:
        events.counts()  # reads what the forwarder has said
    print(events.forwarder_pid, flush=True)
"""
    async with Relay(kafka_bootstrap) as relay:
        with subprocess.Popen(  # noqa: ASYNC220 - to kill it while a line is being read
            [sys.executable, "-c", program, relay.address, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(),
        ) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            await until(lambda: len(spooled(tmp_path) or []) == 500)
            process.stdin.write(b"\n")
            process.stdin.flush()
            forwarder = process.stdout.readline()
            if forwarder_too:
                os.kill(int(forwarder), signal.SIGKILL)
            process.send_signal(signal.SIGKILL)
        relay.open = True
        with publisher(relay.address, topic, tmp_path, worker) as successor:
            await until(lambda: successor.counts().published == 500)
    records = await read(kafka_bootstrap, topic, 500)
    assert all(record.headers == ((RESENT_HEADER, b"1"),) for record in records)
    assert [json.loads(record.value)["seq"] for record in records] == list(range(500))
    assert spooled(tmp_path) is None


async def test_the_forwarder_of_a_killed_worker_ends_its_work(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    program = f"""
import os, sys
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers=sys.argv[1], topic={topic!r}),
    EmitSettings(stop_timeout_s=20), SpoolSettings(dir=Path(sys.argv[2])),
)
for number in range(500):
    events.record(org_id="o1", action="create", path=f"/{{number}}")
while events._queue or not events._engine.idle:
    pass
os.kill(os.getpid(), 9)
"""
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, kafka_bootstrap, str(tmp_path)), env=environment()
    )
    assert await asyncio.wait_for(worker.wait(), DEADLINE_S) == -signal.SIGKILL
    records = await read(kafka_bootstrap, topic, 500)
    assert [record.headers for record in records] == [()] * 500
    await until(lambda: spooled(tmp_path) is None)


async def test_a_forwarder_that_dies_is_replaced(
    kafka_bootstrap: str, topic: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with publisher(kafka_bootstrap, topic, tmp_path) as events:
        events.record(org_id="o1", action="create", path="/before")
        await until(lambda: events.counts().published == 1)
        first = events.forwarder_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        # What is on its way to the dead one may be lost; what comes after it is not.
        await until(
            lambda: events.record(org_id="o1", action="read") and events.forwarder_pid != first
        )
        events.record(org_id="o1", action="create", path="/after")
        await until(lambda: events.counts().published >= 2 and events.counts().queued == 0)
    async with topic_reader(kafka_bootstrap, topic) as consumer, asyncio.timeout(DEADLINE_S):
        found: list[dict[str, Any]] = []
        while not found or found[-1]["path"] != "/after":
            found.append(json.loads((await consumer.getone()).value))
    assert found[0]["path"] == "/before"
    assert found[-1]["producer_id"] != found[0]["producer_id"]
    assert len({(event["producer_id"], event["seq"]) for event in found}) == len(found)
    assert "forwarder died" in caplog.text


async def test_where_no_forwarder_can_start_a_thread_does_it(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    program = f"""
import sys
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
sys.executable = sys.argv[3]  # as in a server that embeds Python
with KafkaPublisher(
    KafkaSettings(bootstrap_servers=sys.argv[1], topic={topic!r}),
    EmitSettings(stop_timeout_s=20), SpoolSettings(dir=Path(sys.argv[2])),
) as events:
    events.record(org_id="o1", action="create")
"""
    for binary in ("/bin/false", "/no/such/file"):
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, kafka_bootstrap, str(tmp_path), binary),
            env=environment(),
            stderr=subprocess.PIPE,
        )
        _, errors = await asyncio.wait_for(done.communicate(), DEADLINE_S)
        assert done.returncode == 0
        assert b"a thread instead" in errors
    await read(kafka_bootstrap, topic, 2)


async def test_a_forked_child_has_a_publisher_of_its_own(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    program = f"""
import os, sys
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers=sys.argv[1], topic={topic!r}),
    EmitSettings(worker=sys.argv[3], stop_timeout_s=20), SpoolSettings(dir=Path(sys.argv[2])),
)
events.record(org_id="o1", action="create", path="/parent")
child = os.fork()
events.record(org_id="o1", action="create", path="/child" if child == 0 else "/parent")
if child:
    os.waitpid(child, 0)
"""
    for worker in WORKERS:
        done = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, kafka_bootstrap, str(tmp_path), worker),
            env=environment(),
        )
        assert await asyncio.wait_for(done.wait(), DEADLINE_S) == 0
    found = [json.loads(record.value) for record in await read(kafka_bootstrap, topic, 6)]
    by_producer: dict[str, list[str]] = {}
    for event in found:
        by_producer.setdefault(event["producer_id"], []).append(event["path"])
    assert sorted(by_producer.values()) == [["/child"]] * 2 + [["/parent"] * 2] * 2
