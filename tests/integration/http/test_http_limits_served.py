"""Each program that listens has the limits: the read API, the consumer's pages, the local stack's
ClickHouse and its demo service."""

import json
import sys
from collections.abc import AsyncIterator

import pytest

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from tests.support.http_attacks import attack
from tests.support.query import KEY
from tests.support.wait import wait_until

PATIENCE_S = 60.0
NOWHERE = "127.0.0.1:9"
#: (module and arguments, a page of it)
PROGRAMS = {
    "api": (["activity_api", "serve"], "/healthz"),
    "consumer": (["activity_consume", "consume"], "/healthz"),
    "clickhouse": (["activity_deploy.clickhouse"], "/ping"),
    "demo": (["activity_deploy.demo"], "/healthz"),
}


def get(target: str, rest: bytes = b"connection: close\r\n\r\n") -> bytes:
    return f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n".encode() + rest


@pytest.fixture(scope="module", params=PROGRAMS)
async def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[str, int]]:
    """Its name and port; Kafka and ClickHouse are away."""
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    (port,) = free_ports(1)
    environment = {
        **{
            f"ACTIVITY_{part}_PORT": str(port) for part in ("API", "CONSUMER", "CLICKHOUSE", "DEMO")
        },
        "ACTIVITY_JWT_KEY": KEY,
        "ACTIVITY_CURSOR_KEY": KEY,
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": NOWHERE,
        "ACTIVITY_CLICKHOUSE_URL": f"http://{NOWHERE}",
        "ACTIVITY_SPOOL_DIR": str(folder / "spool"),
        "ACTIVITY_HTTP_HEADER_TIMEOUT_S": "1",
    }
    arguments = ["--path", str(folder / "data")] if name == "clickhouse" else []
    command = [sys.executable, "-m", *PROGRAMS[name][0], *arguments]
    process = Process(name, command, folder / "log", environment)
    await process.start()

    async def is_up() -> bool:
        assert process.running, process.output()
        try:
            return (await attack(port, get(PROGRAMS[name][1]), 1)).status == 200
        except ConnectionError:
            return False

    try:
        await wait_until(is_up, PATIENCE_S, f"{name} is up")
        yield name, port
    finally:
        await process.stop()


def longest(name: str) -> int:
    """Bytes of a target that are taken; ClickHouse has the parameters of a statement in it."""
    return (1 << 16) - 1 if name == "clickhouse" else 16 << 10


async def test_a_target_at_its_limit_and_over(program: tuple[str, int]) -> None:
    name, port = program
    page = PROGRAMS[name][1]
    length = longest(name) - len(page) - 1
    assert (await attack(port, get(f"{page}?{'a' * length}"), PATIENCE_S)).status == 200
    outcome = await attack(port, get(f"{page}?{'a' * (length + 1)}"), PATIENCE_S)
    assert outcome.status == 414
    assert outcome.closed_s is not None


@pytest.mark.parametrize("field", [b"x: ", b"authorization: Bearer "])
async def test_a_header_without_end(program: tuple[str, int], field: bytes) -> None:
    name, port = program
    bomb = get(PROGRAMS[name][1], field + b"a" * (28 << 20) + b"\r\n\r\n")
    outcome = await attack(port, bomb, PATIENCE_S)
    assert outcome.statuses == (431,)
    assert outcome.closed_s is not None
    if name == "api":
        body = json.loads(outcome.answer.partition(b"\r\n\r\n")[2])
        assert body["error"] == "REQUEST_HEADER_FIELDS_TOO_LARGE"
        assert body["status_code"] == 431
        assert list(body) == ["error", "message", "details", "timestamp", "status_code"]


async def test_half_a_header(program: tuple[str, int]) -> None:
    name, port = program
    outcome = await attack(port, get(PROGRAMS[name][1], b"x: "), PATIENCE_S)
    assert outcome.statuses == (408,)
    assert outcome.closed_s is not None


async def test_a_large_body(program: tuple[str, int]) -> None:
    """None of ours takes one; an INSERT into ClickHouse has no limit."""
    name, port = program
    page = PROGRAMS[name][1]
    head = f"POST {page} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n".encode()
    body = b"content-length: %d\r\n\r\n" % (2 << 20) + b"b" * (2 << 20)
    outcome = await attack(port, head + body, PATIENCE_S)
    if name == "clickhouse":  # answered at once, so the rest of the body may meet a closed socket
        assert 413 not in outcome.statuses
    else:
        assert outcome.statuses == (413,)
