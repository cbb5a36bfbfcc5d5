"""Marked secrets, by variables and by files, and the real commands in trouble: they are nowhere."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import httpx
import pytest

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.support.certificates import Authority
from tests.support.wait import wait_until

MARK = "m4rked-secret-that-nobody-may-see"
PATIENCE_S = 90
#: All at once: each is told to whom it concerns. The engine and the broker are away.
SECRETS = {
    "ACTIVITY_JWT_KEY": f"{MARK}-jwt-0123456789abcdef",
    "ACTIVITY_CURSOR_KEY": f"{MARK}-cursor-0123456789abcdef",
    "ACTIVITY_CLICKHOUSE_PASSWORD": f"{MARK}-clickhouse",
    "ACTIVITY_KAFKA_SASL_PASSWORD": f"{MARK}-kafka",
    "ACTIVITY_KAFKA_SSL_KEYFILE_PASSWORD": f"{MARK}-keyfile",
    "ACTIVITY_LIMIT_STORE_URL": f"redis://:{MARK}-redis@127.0.0.1:9/0",
}
#: With all log levels, as somebody has it who looks for a mistake.
_LOUD = "import logging, sys; logging.basicConfig(level=logging.DEBUG);"
_CLI = f"{_LOUD} from activity_deploy.cli import main; main()"
_EMIT = f"""{_LOUD}
import signal
from activity_emit import KafkaPublisher
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
with KafkaPublisher() as events:
    events.record(org_id="acme", action="execute", metadata={{"n": 1}})
    print("emitted", flush=True)
    signal.pause()
"""
COMMANDS = {
    "settings": (_CLI, "settings"),
    "json": (_CLI, "settings", "--json"),
    "keys": (_CLI, "keys", "list"),
    "dlq": (_CLI, "dlq", "list"),
    "topic": (_CLI, "topic", "show"),
    "migrate": (_CLI, "migrate"),
    "consume": (_CLI, "consume"),
    "serve": (_CLI, "serve"),
    "emit": (_EMIT,),
}
SERVERS = ("consume", "serve", "emit")
PAGES = (
    *(("CONSUMER", path) for path in ("/readyz", "/metrics", "/healthz")),
    *(("API", path) for path in ("/readyz", "/v1/orgs/acme/activity", "/openapi.json")),
)


def family(pid: int) -> Iterator[int]:
    """The process and its descendants, as far as they run."""
    yield pid
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in path.read_text().split():
            yield from family(int(child))


def of_processes(pid: int, what: str) -> str:
    found = []
    for one in family(pid):
        try:
            found.append(Path(f"/proc/{one}/{what}").read_bytes().decode(errors="replace"))
        except OSError:  # it has ended
            continue
    return "\n".join(found)


def environment_of(directory: Path, *, by_file: bool) -> dict[str, str]:
    """All secrets, and addresses where nobody is."""
    environment = dict(SECRETS)
    if by_file:
        (directory / "secrets").mkdir()
        environment = {}
        for name, value in SECRETS.items():
            secret = directory / "secrets" / name
            secret.write_text(value + "\n")
            environment[f"{name}_FILE"] = str(secret)
        url = "http://ann@127.0.0.1:9"
    else:
        environment.pop("ACTIVITY_CLICKHOUSE_PASSWORD")
        url = f"http://ann:{MARK}-url@127.0.0.1:9"
    authority = Authority(directory)
    client = authority.client("ann", password=SECRETS["ACTIVITY_KAFKA_SSL_KEYFILE_PASSWORD"])
    return environment | {
        "ACTIVITY_CLICKHOUSE_URL": url,
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "ACTIVITY_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "ACTIVITY_KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "ACTIVITY_KAFKA_SASL_USERNAME": "ann",
        "ACTIVITY_KAFKA_SSL_CAFILE": str(authority.ca),
        "ACTIVITY_KAFKA_SSL_CERTFILE": str(client.certificate),
        "ACTIVITY_KAFKA_SSL_KEYFILE": str(client.key),
        "ACTIVITY_SPOOL_DIR": str(directory / "spool"),
        "ACTIVITY_STATE_DIR": str(directory / "state"),
        "ACTIVITY_READING_WINDOW_S": "0.1",
    }


def files_of(directory: Path) -> dict[str, str]:
    """What was written: logs, spools, state."""
    return {
        str(path): path.read_bytes().decode(errors="replace")
        for folder in ("logs", "spool", "state")
        for path in (directory / folder).rglob("*")
        if path.is_file()
    }


async def page(http: httpx.AsyncClient, url: str) -> str:
    """Headers and body; '' while nobody is there."""
    try:
        answer = await http.get(url, headers={"authorization": "Bearer x.y.z"})
    except httpx.TransportError:
        return ""
    return f"{answer.headers} {answer.text}"


@pytest.mark.parametrize("by", ["variable", "file"])
async def test_no_secret_shows(by: str, tmp_path: Path) -> None:
    ports = dict(zip(("CONSUMER", "API"), free_ports(2), strict=True))
    environment = environment_of(tmp_path, by_file=by == "file")
    environment |= {f"ACTIVITY_{name}_PORT": str(port) for name, port in ports.items()}
    chosen = COMMANDS if by == "variable" else {name: COMMANDS[name] for name in SERVERS}
    seen: dict[str, str] = {}
    processes: dict[str, Process] = {}

    def said(name: str) -> bool:
        return bool(processes[name].output())

    async with AsyncExitStack() as stack:
        for name, (program, *arguments) in chosen.items():
            command = [sys.executable, "-c", program, *arguments]
            process = Process(name, command, tmp_path / "logs" / f"{name}.log", environment)
            stack.push_async_callback(process.stop)
            await process.start()
            processes[name] = process
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        for part, path in PAGES:
            url = f"http://127.0.0.1:{ports[part]}{path}"
            seen[url] = await wait_until(partial(page, http, url), PATIENCE_S, url)
        spool = tmp_path / "spool"
        await wait_until(lambda: any(spool.rglob("*.spool")), PATIENCE_S, "an event in a spool")
        for name in SERVERS:
            await wait_until(partial(said, name), PATIENCE_S, f"{name} says what is wrong")
            pid = processes[name].pid
            seen[f"{name}: command lines"] = of_processes(pid, "cmdline")
            environ = of_processes(pid, "environ")
            if by == "file":
                seen[f"{name}: environment"] = environ
            else:  # there it is, and cannot but be: what is looked at is the right place
                assert MARK in environ
        ends = (one.wait() for name, one in processes.items() if name not in SERVERS)
        await asyncio.wait_for(asyncio.gather(*ends), PATIENCE_S)
    seen |= files_of(tmp_path)
    assert {where: around(text) for where, text in seen.items() if MARK in text} == {}
    # It was tried at all: each has said something of its trouble, and people read no traceback.
    for name in chosen:
        assert said(name)
        assert name in SERVERS or "Traceback" not in "".join(processes[name].output())


def around(text: str) -> str:
    at = text.find(MARK)
    return text[max(0, at - 80) : at + 80]
