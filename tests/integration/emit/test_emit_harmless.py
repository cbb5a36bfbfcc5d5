"""Whatever goes wrong around the emitter: the service answers, and one log line says what."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.emit.harness import DEADLINE_S, environment

# A service in a process of its own. `{before}` runs before the emitter is there, `{after}` when it
# has been imported and nothing has been made of it.
SERVICE = """
import asyncio, logging, os, sys, threading
logging.basicConfig(format="%(message)s")
{before}
from activity_emit import ActivityMiddleware, ActivityWSGIMiddleware
{after}
START = {{"type": "http.response.start", "status": 200, "headers": []}}
END = {{"type": "http.response.body", "body": b"ok"}}

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await send({{"type": "lifespan.startup.complete"}})
        await send({{"type": "lifespan.shutdown.complete"}})
        return
    await send(START)
    await send(END)

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"ok"]

async def main():
    sent = []

    async def send(message):
        sent.append(message["type"])

    async def receive():
        return {{"type": "http.request"}}

    service = ActivityMiddleware(app)
    for number in range(5):
        path = f"/orgs/o1/apps/{{number}}"
        scope = {{"type": "http", "method": "GET", "path": path, "headers": []}}
        await service(scope, receive, send)
        await asyncio.sleep(0.02)
    await service({{"type": "lifespan"}}, receive, send)
    assert sent.count("http.response.body") == 5, sent
    assert sent[-1] == "lifespan.shutdown.complete", sent
    environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": "/orgs/o1/apps/a1"}}
    twin = ActivityWSGIMiddleware(wsgi)
    assert b"".join(twin(environ, lambda *_: None)) == b"ok"

asyncio.run(main())
{at_end}
print("answered")
"""


async def serve(
    tmp_path: Path, *, before: str = "", after: str = "", at_end: str = "", **variables: str | None
) -> list[str]:
    """What the service has to log. It has answered, or this fails."""
    environ = {
        **environment(),
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "ACTIVITY_SPOOL_DIR": str(tmp_path / "spool"),
        "ACTIVITY_SPOOL_TALLY_DIR": str(tmp_path / "tally"),
        "ACTIVITY_EMIT_STOP_TIMEOUT_S": "1",
        **variables,
    }
    program = SERVICE.format(before=before, after=after, at_end=at_end)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program),
        env={name: value for name, value in environ.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 2 * DEADLINE_S)
    assert out.split()[-1:] == [b"answered"], errors.decode()
    assert process.returncode == 0, errors.decode()
    assert b"Traceback" not in errors, errors.decode()
    return errors.decode().splitlines()


# Every call to the outside, made to fail from the nth on: what opens, makes, locks, connects,
# starts and imports tells Python's audit hooks. `once`: the later ones succeed again.
FAILING = """
CALLS = ("open", "os.mkdir", "os.listdir", "os.scandir", "glob.glob", "fcntl.flock", "mmap.__new__",
    "socket.__new__", "socket.connect", "socket.gethostname", "subprocess.Popen", "os.posix_spawn",
    "sqlite3.connect", "import", "os.remove", "os.rename", "os.kill", "os.fork", "os.putenv")
seen = [0]
armed = [True]

def fail(event, arguments):
    if event in CALLS and armed[0]:
        # What a traceback reads of the sources, and the loops' own, is not the emitter's.
        frame = sys._getframe(1)
        ours = False
        while frame is not None:
            name = frame.f_code.co_filename
            ours = ours or "/activity_" in name
            if "traceback.py" in name or "linecache.py" in name:
                return
            frame = frame.f_back
        if ours:
            seen[0] += 1
            if seen[0] == {nth} or (seen[0] > {nth} and not {once}):
                raise OSError(5, f"no {{event}}")

sys.addaudithook(fail)
"""
AT_END = 'armed[0] = False; print("calls", seen[0])'


@pytest.mark.parametrize("worker", ["process", "thread"])
async def test_whatever_call_to_the_outside_fails_the_requests_are_answered(
    tmp_path: Path, worker: str
) -> None:
    gate = asyncio.Semaphore(2)

    async def one(nth: int, once: bool) -> list[str]:
        async with gate:
            lines = await serve(
                tmp_path / f"{nth}{once}",
                after=FAILING.format(nth=nth, once=once),
                at_end=AT_END,
                ACTIVITY_EMIT_WORKER=worker,
            )
            # Each kind is said once in each of the two runs of a publisher, and by us.
            assert max(Counter(lines).values(), default=0) <= 2, lines
            assert len(set(lines)) <= 8, lines
            return lines

    # The first failure and no other, and everything from there on.
    numbers = (1, 2, 3, 5, 8, 13, 21, 34, 55)
    said = await asyncio.gather(*(one(n, once) for n in numbers for once in (True, False)))
    assert sum(map(bool, said)) > len(numbers) // 2  # it was not nothing that failed


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("ACTIVITY_EMIT_QUEUE_SIZE", "swordfish"),
        ("ACTIVITY_EMIT_RULES", "{swordfish"),
        ("ACTIVITY_EMIT_COMPRESSION", "swordfish"),
        ("ACTIVITY_EMIT_ENABLED", "swordfish"),
        ("ACTIVITY_SPOOL_MAX_BYTES", "-1"),
        ("ACTIVITY_SPOOL_BEFORE_RESPONSE", "swordfish"),
        ("ACTIVITY_KAFKA_SECURITY_PROTOCOL", "swordfish"),
        ("ACTIVITY_TRANSPORT", "swordfish"),
    ],
)
async def test_a_variable_that_cannot_be_is_one_line_that_names_it(
    tmp_path: Path, variable: str, value: str
) -> None:
    lines = await serve(tmp_path, **{variable: value})
    assert len(set(lines)) == 1, lines
    assert lines[0].startswith(f"no activity is recorded: {variable}")
    assert "swordfish" not in lines[0]


NOBODY = "import os, pwd; pwd.getpwuid = lambda uid: {}[uid]"


@pytest.mark.parametrize("switched_off", [None, "ACTIVITY_EMIT_ENABLED", "ACTIVITY_SPOOL_ENABLED"])
async def test_a_user_without_a_home_is_served_and_recorded(
    tmp_path: Path, switched_off: str | None
) -> None:
    off = {switched_off: "false"} if switched_off else {}
    lines = await serve(
        tmp_path,
        before=NOBODY,
        HOME=None,
        XDG_STATE_HOME=None,
        ACTIVITY_SPOOL_DIR=None,
        TMPDIR=str(tmp_path),
        **off,
    )
    assert not any("home directory" in line for line in lines)
    spools = list((tmp_path / f"activity-{os.geteuid()}").rglob("*.spool"))
    assert bool(spools) == (switched_off is None)


BREAKS = {
    "no sqlite3": "sys.modules['sqlite3'] = None",
    "no Kafka client": "sys.modules['aiokafka'] = None",
    "no threads": (
        'def no(self): raise RuntimeError("can\'t start new thread")\nthreading.Thread.start = no'
    ),
    "a handler that raises": (
        "class Broken(logging.Handler):\n"
        "    def handle(self, record): raise OSError('full')\n"
        "logging.getLogger('activity.emit').addHandler(Broken())"
    ),
    "few files": ("import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))"),
    "no file may grow": ("import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
    "no packets": "import socket\ndel socket.SOCK_SEQPACKET",
    "a path that is no text": "import pathlib\nsys.path.append(pathlib.Path('/nowhere'))",
    "no interpreter": "sys.executable = ''",
    "another program": "sys.executable = '/bin/false'",
    "a name that is none": "import socket\nsocket.gethostname = lambda: 'a/../b\\udcff'",
}


@pytest.mark.parametrize("what", BREAKS)
@pytest.mark.parametrize(
    ("worker", "before_response"),
    # The commit before the response is the thread's affair, whatever the worker.
    [("process", "false"), ("thread", "false"), ("process", "true")],
)
async def test_what_a_host_lacks_is_no_matter_of_the_requests(
    tmp_path: Path, what: str, worker: str, before_response: str
) -> None:
    await serve(
        tmp_path,
        before=BREAKS[what],
        ACTIVITY_EMIT_WORKER=worker,
        ACTIVITY_SPOOL_BEFORE_RESPONSE=before_response,
    )


async def test_paths_that_cannot_be_written_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lines = await serve(
        tmp_path,
        ACTIVITY_SPOOL_DIR=str(tmp_path / "file" / "spool"),
        ACTIVITY_SPOOL_TALLY_DIR=str(tmp_path / "file" / "tally"),
    )
    # One of the service's lifespan, and one of what comes after it.
    assert sum("no activity spool" in line for line in lines) in (1, 2)


async def test_a_tally_that_is_none_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "tally").mkdir(mode=0o700)
    after = (
        "from pathlib import Path\nfrom activity_emit.event.sequence import _prefix\n"
        "from activity_emit.publisher import KafkaPublisher\n"
        "name = _prefix(KafkaPublisher()._config().directory)\n"
        f"Path({str(tmp_path / 'tally')!r}, name + 'x.tally').write_bytes(b'\\xff' * 600)"
    )
    lines = await serve(tmp_path, after=after)
    assert not any("UnicodeDecodeError" in line for line in lines)
