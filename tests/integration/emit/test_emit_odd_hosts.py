"""Hosts of every kind: other loops, forks that nobody announces, frozen applications, Windows."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from activity_emit.forwarder.interpreter import MARK
from tests.integration.emit.harness import DEADLINE_S, environment, spooled, until


async def run(program: str, *arguments: str, **variables: str) -> tuple[str, str]:
    """What it prints and what it has to log; it has to end well."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, *arguments),
        env={**environment(), "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), 2 * DEADLINE_S)
    finally:
        with contextlib.suppress(ProcessLookupError):  # one that hangs takes its children along
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors.decode()
    return out.decode(), errors.decode()


def events(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in spooled(directory) or []]


TRIO = """
import trio
from activity_emit import ActivityMiddleware

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

async def main():
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {"type": "http.request"}

    service = ActivityMiddleware(app)
    scope = {"type": "http", "method": "GET", "path": "/orgs/o1/apps/a1", "headers": []}
    await service(scope, receive, send)
    await service({"type": "lifespan"}, receive, send)
    print(sent[-2:])

trio.run(main)
"""


@pytest.mark.parametrize("before_response", ["false", "true"])
async def test_under_trio_requests_are_served_and_recorded(
    tmp_path: Path, before_response: str
) -> None:
    out, errors = await run(
        TRIO,
        ACTIVITY_SPOOL_DIR=str(tmp_path),
        ACTIVITY_SPOOL_BEFORE_RESPONSE=before_response,
    )
    assert out.strip() == "['http.response.body', 'lifespan.shutdown.complete']"
    assert "response sent before its event" not in errors
    assert [event["path"] for event in events(tmp_path)] == ["/orgs/o1/apps/a1"]


# How uWSGI forks: without Python's hooks.
C_FORK = """
import ctypes, os, sys, threading, time
from activity_emit import KafkaPublisher
publisher = KafkaPublisher()
def at_rest():
    frames = sys._current_frames()
    others = [frames.get(one.ident) for one in threading.enumerate()[1:]]
    return all(one is None or one.f_code.co_name in ("select", "wait") for one in others)
if sys.argv[1] == "started":
    publisher.start()
    # A thread in the middle of its work (an import, a file) holds locks that the child would wait
    # for, whatever it does: who forks like this does it while they rest.
    while not (publisher.forwarder_pid or getattr(publisher._engine, "outbox", None)):
        time.sleep(0.01)
    while not at_rest():
        time.sleep(0.01)
libc = ctypes.PyDLL(None)
children = []
for number in range(2):
    child = libc.fork()
    if child == 0:
        publisher.record(org_id="o1", action="create", path=f"/{number}")
        publisher.stop(10)
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
publisher.record(org_id="o1", action="create", path="/parent")
publisher.stop(10)
"""


@pytest.mark.parametrize("worker", ["process", "thread"])
@pytest.mark.parametrize("begun", ["started", "made"])
async def test_a_fork_that_python_does_not_know_of_is_noticed(
    tmp_path: Path, worker: str, begun: str
) -> None:
    await run(C_FORK, begun, ACTIVITY_SPOOL_DIR=str(tmp_path), ACTIVITY_EMIT_WORKER=worker)
    found = events(tmp_path)
    assert sorted(str(event["path"]) for event in found) == ["/0", "/1", "/parent"]
    assert len({event["producer_id"] for event in found}) == 3


# The forwarder has the events of a process that ends like this before it has even begun itself.
SHORT = """
import os, time
from activity_emit import KafkaPublisher
publisher = KafkaPublisher()
for number in range(5):
    if os.fork() == 0:
        publisher.record(org_id="o1", action="create", path=f"/{number}")
        time.sleep(0.5)
        os._exit(0)
for _ in range(5):
    os.wait()
"""


async def test_a_child_that_ends_at_once_loses_nothing(tmp_path: Path) -> None:
    await run(SHORT, ACTIVITY_SPOOL_DIR=str(tmp_path))
    await until(lambda: len(events(tmp_path)) == 5)
    assert len({event["producer_id"] for event in events(tmp_path)}) == 5


FROZEN = """
import os, sys
with open(os.environ["STARTS"], "a") as file:
    file.write("x")
{before}
from activity_emit import KafkaPublisher
with KafkaPublisher() as publisher:
    publisher.record(org_id="o1", action="create")
"""


@pytest.mark.parametrize("before", ["sys.frozen = True", "sys.executable = os.environ['ITSELF']"])
async def test_an_application_that_is_its_own_interpreter_is_not_started_without_end(
    tmp_path: Path, before: str
) -> None:
    program = FROZEN.format(before=before)
    (tmp_path / "app.py").write_text(program)
    itself = tmp_path / "python-app"  # whatever it is called with, it is the application
    itself.write_text(f"#!/bin/sh\nexec {sys.executable} {tmp_path}/app.py\n")
    itself.chmod(0o700)
    starts = tmp_path / "starts"
    await run(
        program,
        STARTS=str(starts),
        ITSELF=str(itself),
        ACTIVITY_SPOOL_DIR=str(tmp_path / "spool"),
    )
    assert len(starts.read_text()) <= 2
    assert MARK not in os.environ
    assert len(events(tmp_path / "spool")) == 1


# What Windows' Python does not have. Not run here: Windows itself, and its file system.
WINDOWS = """
import asyncio, functools, os, select, signal, socket, subprocess, sys, threading
socket.socketpair = functools.partial(socket.socketpair, socket.AF_UNIX)
for module, names in {
    os: "register_at_fork fork forkpty memfd_create geteuid getuid sched_yield nice killpg waitid",
    socket: "AF_UNIX SOCK_SEQPACKET send_fds recv_fds",
    select: "poll", signal: "SIGKILL SIGSTOP SIGCONT SIGHUP",
}.items():
    for name in names.split():
        delattr(module, name)
for name in ("fcntl", "pwd", "grp", "resource", "termios"):
    sys.modules[name] = None
from activity_emit import KafkaPublisher
with KafkaPublisher() as publisher:
    publisher.record(org_id="o1", action="create")
print(publisher.metrics().accepted, publisher.metrics().left)
"""


@pytest.mark.parametrize("worker", ["process", "thread"])
async def test_what_windows_lacks_is_not_needed(tmp_path: Path, worker: str) -> None:
    out, errors = await run(
        WINDOWS,
        ACTIVITY_SPOOL_DIR=str(tmp_path),
        ACTIVITY_EMIT_WORKER=worker,
        ACTIVITY_EMIT_STOP_TIMEOUT_S="1",
    )
    # Without file locks there is no spool, and without a broker the event is counted as lost.
    assert out.split() == ["1", "1"], errors
    assert "Traceback" not in errors


APPS = """
import os, subprocess, time, warnings
warnings.simplefilter("ignore")
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from activity_emit import ActivityMiddleware

def made(backend):
    app = Starlette(routes=[Route("/orgs/{org_id}", lambda request: PlainTextResponse("ok"))])
    service = ActivityMiddleware(app)
    return service, TestClient(service, backend=backend)

apps = [made(backend) for backend in ("asyncio", "trio") * 6]
assert len({id(app.publisher) for app, _ in apps}) == 1
for _, client in apps:
    client.__enter__()
    began = time.perf_counter()
    client.__exit__()
    print(time.perf_counter() - began)
for _, client in apps:
    assert client.get("/orgs/o1").status_code == 200
for _, client in apps:
    with client:
        assert client.get("/orgs/o1").status_code == 200
assert apps[0][0].publisher.forwarder_pid is None
"""


async def test_test_clients_share_a_publisher_and_leave_at_once(tmp_path: Path) -> None:
    out, _ = await run(APPS, ACTIVITY_SPOOL_DIR=str(tmp_path))
    leaving = sorted(map(float, out.split()))
    assert leaving[len(leaving) // 2] < 0.3
    assert len(events(tmp_path)) == 24
