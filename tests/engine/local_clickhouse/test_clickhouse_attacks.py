"""The table of ways out: none gets at a file, none at another server, and the server lives on."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.engine.local_clickhouse.attacks_sql import ATTACKS
from tests.support.clickhouse import ClickHouseServer

SECRET = "a secret of this account"


@dataclass
class World:
    """`seen`: connections that somebody's server got."""

    client: httpx.AsyncClient
    secret: Path
    out: Path
    port: int
    seen: list[object] = field(default_factory=list)

    async def run(self, text: str, **parameters: str) -> httpx.Response:
        sql = text.format(secret=self.secret, out=self.out, port=self.port)
        where = {"database": "x", "max_execution_time": "20", **parameters}
        return await self.client.post("/", params=where, content=sql.encode())


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("attacked")
    secret = folder / "secret"
    secret.write_text(SECRET + "\n")
    server = ClickHouseServer(folder / "data")
    await server.start()
    seen: list[object] = []
    listener = await asyncio.start_server(lambda _, writer: seen.append(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        made = World(client, secret, folder / "out", port, seen)
        await client.post("/", content=b"CREATE DATABASE x")
        answer = await made.run("CREATE TABLE mine (a String) ENGINE = MergeTree ORDER BY a")
        assert answer.status_code == 200, answer.text
        yield made
    listener.close()
    await server.stop()


@pytest.mark.parametrize("text", ATTACKS.values(), ids=ATTACKS.keys())
async def test_no_way_out(world: World, text: str) -> None:
    answer = await world.run(text)
    assert answer.status_code != 200, answer.text
    assert SECRET not in answer.text
    assert not world.out.exists()
    assert not world.seen
    alive = await world.run("SELECT count() FROM mine")
    assert (alive.status_code, alive.text) == (200, "0\n")


#: What the tables need goes on: (statement, answer).
ALLOWED = [
    ("SELECT 'INTO OUTFILE ''x''' AS `file`", "INTO OUTFILE \\'x\\'\n"),
    ("SELECT count() FROM (SELECT 1 AS attach) WHERE attach = 1", "1\n"),
    ("SELECT trim(BOTH 'x' FROM 'xax')", "a\n"),
    ("CREATE TABLE here (a Int8) ENGINE = Memory", ""),
    ("INSERT INTO here VALUES (1), (2)", ""),
    ("INSERT INTO here SELECT a + 2 FROM input('a Int8') FORMAT CSV\n1\n2\n", ""),
    ("SELECT sum(a) FROM here", "10\n"),
    ("CREATE VIEW seen AS SELECT a FROM here WHERE a > 1", ""),
    ("SELECT count() FROM seen", "3\n"),
    ("CREATE TABLE outfile (infile Int8) ENGINE = MergeTree ORDER BY infile", ""),
    ("INSERT INTO outfile FORMAT CSV\n7\n", ""),
    ("SELECT infile FROM outfile", "7\n"),
    ("ALTER TABLE outfile ADD COLUMN b Int8", ""),
    ("ALTER TABLE outfile DELETE WHERE 1 SETTINGS mutations_sync = 1", ""),
    ("OPTIMIZE TABLE outfile FINAL", ""),
    ("DETACH TABLE outfile", ""),
    ("ATTACH TABLE outfile", ""),
    ("SELECT count() FROM merge('x', 'here')", "4\n"),
    ("SELECT count() FROM numbers(3)", "3\n"),
    ("DROP TABLE outfile SYNC", ""),
]


async def test_the_tables_go_on(world: World) -> None:
    for text, expected in ALLOWED:
        answer = await world.client.post("/", params={"database": "x"}, content=text.encode())
        assert (answer.status_code, answer.text) == (200, expected), text


@pytest.mark.parametrize(
    "parameters",
    [
        {"format_schema": "/etc/passwd:x"},
        {"format_template_resultset": "/etc/passwd"},
        {"allow_python_table_function": "1"},
        {"default_format": "TSV INTO OUTFILE '/tmp/x'"},
        {"default_format": "TSV; SYSTEM SHUTDOWN"},
    ],
    ids=str,
)
async def test_no_parameter_is_a_way_out(world: World, parameters: dict[str, str]) -> None:
    assert (await world.run("SELECT 1", **parameters)).status_code != 200


@pytest.mark.parametrize(
    ("structure", "data_format"),
    [
        ("a String) ENGINE = File(LineAsString, '/etc/passwd'", "TSV"),
        ("a String); SELECT 1 INTO OUTFILE '/tmp/x'; --", "TSV"),
        ("a String DEFAULT file('/etc/passwd')", "JSONEachRow"),
        ("a String", "TSV; SELECT 1 INTO OUTFILE '/tmp/x'"),
    ],
)
async def test_no_external_table_is_a_way_out(
    world: World, structure: str, data_format: str
) -> None:
    answer = await world.client.post(
        "/",
        params={"query": "SELECT * FROM e", "e_structure": structure, "e_format": data_format},
        files={"e": b"{}"},
    )
    assert answer.status_code != 200
    assert "root:" not in answer.text
