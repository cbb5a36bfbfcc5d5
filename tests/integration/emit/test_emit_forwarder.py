"""From the service's loop to the forwarder: nobody waits, nothing is stuck, nothing is lost."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from activity_emit import KafkaPublisher
from tests.integration.emit.harness import (
    DEADLINE_S,
    environment,
    publisher,
    read,
    spooled,
    until,
)


async def ready(events: KafkaPublisher) -> int:
    """The forwarder's process id, when it has reported."""
    events.start()
    await until(lambda: events.forwarder_pid is not None)
    pid = events.forwarder_pid
    assert pid is not None
    return pid


async def test_a_handler_that_hogs_the_loop_holds_no_event_back(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    async with publisher(kafka_bootstrap, topic, tmp_path) as events:
        await ready(events)
        for path in ("/first", "/second"):  # from rest, and just after another
            events.record(org_id="o1", action="create", path=path)
        give_up = time.monotonic() + DEADLINE_S
        while events.counts().published < 2 and time.monotonic() < give_up:
            pass  # no await: the loop's timers do not run
        assert events.counts().published == 2
    await read(kafka_bootstrap, topic, 2)


async def test_a_forwarder_that_does_not_read_makes_no_request_wait(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    note = "x" * 2_000
    count = 2_000  # 4 MB: several times what the socket holds
    longest = 0.0
    async with publisher(kafka_bootstrap, topic, tmp_path) as events:
        forwarder = await ready(events)
        os.kill(forwarder, signal.SIGSTOP)
        try:
            for number in range(count):
                began = time.perf_counter()
                assert events.record(
                    org_id="o1", action="create", path=f"/{number}", metadata={"note": note}
                )
                if number % 50 == 0:
                    await asyncio.sleep(0.02)  # the timer's turn
                    began += 0.02
                longest = max(longest, time.perf_counter() - began)
            assert events.counts().queued > 0  # it is really full
        finally:
            os.kill(forwarder, signal.SIGCONT)
        await until(lambda: events.counts().published == count)
    # To wait for room in the socket would have taken half a second each time.
    assert longest < 0.25
    found = [json.loads(record.value) for record in await read(kafka_bootstrap, topic, count)]
    assert sorted(event["seq"] for event in found) == list(range(count))
    assert len({event["path"] for event in found}) == count


async def test_a_loop_that_ends_leaves_nothing_behind(
    kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    events = publisher(kafka_bootstrap, topic, tmp_path)
    await ready(events)

    async def job(number: int) -> None:
        events.record(org_id="o1", action="create", path=f"/{number}")

    def jobs() -> None:
        for number in range(5):
            asyncio.run(job(number))  # its timer dies with it

    await asyncio.to_thread(jobs)
    await until(lambda: events.counts().published == 5)
    await asyncio.to_thread(events.stop)
    await read(kafka_bootstrap, topic, 5)


async def test_to_be_stopped_at_once_is_no_error_of_the_forwarder(
    kafka_bootstrap: str, topic: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    events = publisher(kafka_bootstrap, topic, tmp_path)
    await ready(events)
    await asyncio.to_thread(events.stop, 0)
    assert capfd.readouterr().err == ""


# One draft that is larger than any packet, and many that are together.
LARGE = """
import sys, time
from pathlib import Path
from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings
{before}
events = KafkaPublisher(
    KafkaSettings(bootstrap_servers="127.0.0.1:1"),
    EmitSettings(worker="process", stop_timeout_s=0), SpoolSettings(dir=Path(sys.argv[1])),
)
events.record(org_id="o1", action="create", path="/first")
give_up = time.monotonic() + 30
while not events.metrics().spooled and time.monotonic() < give_up:
    pass
for number in range(300):
    events.record(org_id="o1", action="create", path="/" + 1_000 * "x", metadata={{"n": number}})
events.record(org_id="o1", action="create", path="/" + 3_000_000 * "x")
for number in range(300):
    events.record(org_id="o1", action="create", path="/last")
print(events.forwarder_pid, flush=True)
events.stop(20)
"""


async def emitted(directory: Path, before: str = "") -> tuple[str, list[dict[str, object]]]:
    """What a service says of its forwarder, and the events in its spool in the end."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LARGE.format(before=before), str(directory)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    said, complaints = await asyncio.wait_for(process.communicate(), 2 * DEADLINE_S)
    assert process.returncode == 0, complaints
    return said.decode().strip(), [json.loads(line) for line in spooled(directory) or []]


async def test_what_is_larger_than_a_packet_arrives_whole_and_in_order(tmp_path: Path) -> None:
    said, events = await emitted(tmp_path)
    assert int(said) > 0
    assert [event["seq"] for event in events] == list(range(602))
    assert len(str(events[301]["path"])) == 4096  # the schema's limit, by the forwarder


@pytest.mark.parametrize("missing", ["socket.SOCK_SEQPACKET", "os.memfd_create"])
async def test_on_a_system_without_such_packets_the_thread_does_the_work(
    tmp_path: Path, missing: str
) -> None:
    said, events = await emitted(tmp_path, f"import os, socket\ndel {missing}")
    assert said == "None"
    assert [event["seq"] for event in events] == list(range(602))
