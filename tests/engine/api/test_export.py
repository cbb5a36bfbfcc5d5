"""An export: every row of the filter once, its end counted and hashed, its memory bounded."""

import asyncio
import csv
import gzip
import hashlib
import io
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import zstandard
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.app import create_app
from activity_api.auth.caller import EXPORT, READ
from activity_api.settings import ExportSettings
from tests.support.feed import NOW, at
from tests.support.query import api, bearer, insert, paginate, settings
from tests.support.wait import wait_until

URL = "/v1/orgs/o/activity/export"
MAY = (READ, EXPORT)


@pytest.fixture
async def client(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> AsyncIterator[httpx.AsyncClient]:
    async with api(settings(clickhouse_url, database)) as made:
        yield made


def who(**more: Any) -> dict[str, str]:
    return bearer("o", permissions=MAY, **more)


async def lines(
    client: httpx.AsyncClient, **parameters: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The rows of an NDJSON export and its end, which agree."""
    response = await client.get(URL, params=parameters, headers=who())
    assert response.status_code == 200, response.text
    return checked(response.content)


def checked(body: bytes) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    *rows, last = body.splitlines(keepends=True)
    end = json.loads(last)["export"]
    assert end["rows"] == len(rows)
    assert end["sha256"] == hashlib.sha256(b"".join(rows)).hexdigest()
    return [json.loads(row) for row in rows], end


async def test_all_of_it_oldest_first_as_the_list_shows_it(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    await insert(clickhouse, [at("o", 0, n, at=NOW - timedelta(hours=n % 7)) for n in range(50)])
    await insert(clickhouse, [at("p", 0, 99)])
    rows, end = await lines(client)
    listed = await paginate(client, "/v1/orgs/o/activity", who(), 200)
    assert rows == listed[::-1]
    assert end["next_cursor"] is None


async def test_a_range_and_filters(client: httpx.AsyncClient, clickhouse: AsyncClient) -> None:
    rows = [at("o", 0, n, at=NOW + timedelta(hours=n), user_id=f"u{n % 3}") for n in range(12)]
    await insert(clickhouse, rows)
    during = {"start_time": "2026-03-04T07:06:07Z", "end_time": "2026-03-04T15:06:07Z"}
    found, _ = await lines(client, **during, user_id=["u0", "u1"])
    assert [one["path"] for one in found] == [f"/0/{n}" for n in (3, 4, 6, 7, 9)]
    found, _ = await lines(client, **during, not_user_id="u0")
    assert [one["path"] for one in found] == [f"/0/{n}" for n in (2, 4, 5, 7, 8)]


async def test_pieces_one_after_the_other_are_the_whole(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """Many rows of the same time; what comes in meanwhile stays out."""
    await insert(clickhouse, [at("o", 0, n, at=NOW) for n in range(23)])
    whole, _ = await lines(client)
    found: list[Any] = []
    parameters: dict[str, Any] = {"limit": 5}
    while True:
        rows, end = await lines(client, **parameters)
        found += rows
        if (cursor := end["next_cursor"]) is None:
            break
        parameters["cursor"] = cursor
        await insert(clickhouse, [at("o", 0, 100 + len(found), at=NOW)])
    assert found == whole
    refused = {"cursor": cursor or "x", "user_id": "u"}
    for bad in (refused, {"cursor": parameters["cursor"], "user_id": "u"}):
        response = await client.get(URL, params=bad, headers=who())
        assert (response.status_code, response.json()["error"]) == (400, "CURSOR_INVALID")


async def test_more_rows_than_the_engine_gives_at_once(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """Two pages of it, and every coding: the sum is of what is inside."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, method, path, action, status_code, _lease)"
        " SELECT generateUUIDv7(), toDateTime64('2026-03-04', 6) + number % 9, 'o', 'GET',"
        " toString(number), 'read', 200, now() + 3600 FROM numbers(60000)"
    )
    rows, _ = await lines(client)
    assert {int(one["path"]) for one in rows} == set(range(60000))
    for coding, unpack in (
        ("gzip", gzip.decompress),
        ("zstd", lambda b: zstandard.ZstdDecompressor().decompressobj().decompress(b)),
    ):
        async with client.stream("GET", URL, headers=who() | {"accept-encoding": coding}) as answer:
            assert answer.headers["content-encoding"] == coding
            raw = b"".join([piece async for piece in answer.aiter_raw()])
        assert checked(unpack(raw))[0] == rows
        # A cut is noticed, wherever it is.
        with pytest.raises((EOFError, AssertionError, ValueError, KeyError, zstandard.ZstdError)):
            checked(unpack(raw[: len(raw) // 2]))


async def test_csv(client: httpx.AsyncClient, clickhouse: AsyncClient) -> None:
    nasty = ['=cmd|"/c calc"!A1', "+1", "-1", "@x", "\tx", 'a "quoted", one', "line\nbreak", "ok"]
    await insert(
        clickhouse,
        [
            at("o", 0, n, at=NOW + timedelta(seconds=n), user_id=text, metadata='{"a":\n[1,"x"]}')
            for n, text in enumerate(nasty)
        ],
    )
    response = await client.get(URL, params={"format": "csv"}, headers=who())
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    body, _, last = response.content.rpartition(b"\r\n# ")
    body += b"\r\n"
    end = json.loads(last)["export"]
    assert end["sha256"] == hashlib.sha256(body).hexdigest()
    rows = list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    assert end["rows"] == len(rows) == len(nasty)
    listed = await paginate(client, "/v1/orgs/o/activity", who(), 200)
    assert list(rows[0]) == list(listed[0])
    assert [one["user_id"] for one in rows] == [
        f"'{text}" if text[0] in "=+-@\t" else text for text in nasty
    ]
    assert json.loads(rows[0]["metadata"]) == {"a": [1, "x"]}
    assert rows[0]["timestamp"] == listed[-1]["timestamp"]
    assert rows[0]["app_id"] == ""


_ODD = (
    # What could be taken for the end of a row, a cell, a string, and for a formula within one.
    *('}"\r\n', '}""\r\n"', '"}\r\n', ',"=1', '",=1', '"=1', "'=1", "\x1e", "\x1e\n", "=\x1e\r\n"),
    *(
        "{",
        "}",
        "${id:JSON}",
        "\\",
        "\\n",
        "\\N",
        "ᴺᵁᴸᴸ",
        "null",
        "ä€𝄞",
        "\u2028",
        "a\rb",
        "\r",
        "\n,",
    ),
    *(",", '"', '""', "# {", '}"', '},"=1', "\x00", "\x7f", " ", "-", "@"),
)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
async def test_text_that_looks_like_the_form_itself(
    client: httpx.AsyncClient, clickhouse: AsyncClient, form: str
) -> None:
    """Every row is counted once, and comes back as the list shows it."""
    told = ['{"a":1} \n', "{}\t", '{"a":"}"}\r\n', '{"n":\n1e400}', "{ }  "]
    await insert(
        clickhouse,
        [
            at("o", 0, n, user_id=text, error_code=text, path=text, metadata=told[n % 5])
            for n, text in enumerate(_ODD)
        ],
    )
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, method, path, action, status_code, _lease,"
        " user_id, _metadata) VALUES (generateUUIDv7(), '2026-03-05', 'o', 'GET', unhex('3DFF7D'),"
        " 'read', 200, now() + 3600, unhex('C3220D0A'), 'no object')"
    )
    listed = (await client.get(URL.removesuffix("/export"), headers=who())).content
    shown = json.loads(listed.replace(b"\r", b" ").replace(b"\n", b" "))["activities"][::-1]
    response = await client.get(URL, params={"format": form}, headers=who())
    if form == "ndjson":
        rows, _ = checked(response.content)
        assert rows == shown
        return
    lines, end, _ = response.content.rpartition(b"# ")
    told_end = json.loads(response.content.removeprefix(lines + end))["export"]
    found = [*csv.DictReader(io.StringIO(lines.decode(), newline=""))]
    assert told_end["rows"] == len(found) == len(_ODD) + 1
    assert told_end["sha256"] == hashlib.sha256(lines).hexdigest()
    for row, one in zip(found, shown, strict=True):
        assert row["id"] == one["id"]
        assert json.loads(row["metadata"]) == one["metadata"]
        for name in ("user_id", "error_code", "path"):
            text = one[name] or ""
            assert row[name] == (f"'{text}" if text[:1] in {*"=+-@\t\r"} else text)


async def test_nothing_to_export(client: httpx.AsyncClient) -> None:
    assert (await lines(client))[0] == []
    for form in ("csv", "parquet"):
        response = await client.get(URL, params={"format": form}, headers=who())
        assert response.status_code == 200


async def test_its_own_permission(client: httpx.AsyncClient, clickhouse: AsyncClient) -> None:
    await insert(clickhouse, [at("o", 0, n, workspace_id=f"w{n}") for n in range(3)])
    reader = await client.get(URL, headers=bearer("o"))
    assert reader.status_code == 403
    assert reader.json()["details"] == {"required_permission": EXPORT}
    # It takes no other: a job that exports needs no right to search.
    only = await client.get(URL, headers=bearer("o", permissions=(EXPORT,)))
    assert len(checked(only.content)[0]) == 3
    limited = who(workspaces=("w1",))
    rows, _ = checked((await client.get(URL, headers=limited)).content)
    assert [one["workspace_id"] for one in rows] == ["w1"]
    other = await client.get(URL, params={"workspace_id": "w2"}, headers=limited)
    assert other.status_code == 403
    assert (await client.get("/v1/orgs/p/activity/export", headers=who())).status_code == 404


async def test_so_many_at_a_time(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """A client that does not read keeps its own org from a second export, and nobody else; what it
    has not taken is not read from the engine either."""
    await clickhouse.command(
        "INSERT INTO events (id, timestamp, org_id, method, path, action, status_code, _lease)"
        " SELECT generateUUIDv7(), now64(6) + number, 'o', 'GET', '/', 'read', 200,"
        " now() + 3600 FROM numbers(150000)"
    )
    configured = settings(clickhouse_url, database, export=ExportSettings(concurrent=2))
    app = create_app(configured)
    taken, go_on = 0, asyncio.Event()

    async def send(message: Any) -> None:
        nonlocal taken
        if message["type"] == "http.response.body" and message.get("body"):
            taken += 1
            await go_on.wait()

    async def receive() -> Any:
        await asyncio.Event().wait()

    header = [(k.encode(), v.encode()) for k, v in who().items()]
    scope: Any = {"type": "http", "method": "GET", "path": URL, "raw_path": URL.encode()}
    scope |= {"query_string": b"", "headers": header, "asgi": {"spec_version": "2.0"}}
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://api", timeout=60) as client,
    ):
        slow = asyncio.create_task(app(scope, receive, send))
        await wait_until(lambda: taken, 60, "it has begun")
        second = await client.get(URL, headers=who())
        assert second.status_code == 429
        assert second.json()["details"] == {"limit": "exports"}
        other = bearer("p", permissions=MAY)
        assert (await client.get("/v1/orgs/p/activity/export", headers=other)).status_code == 200
        assert (await client.get("/v1/orgs/o/activity", headers=who())).status_code == 200
        assert taken == 1
        go_on.set()
        await slow
        assert taken == 4  # three pages of 50,000, and the last line
        third = await client.get(URL, params={"limit": 1}, headers=who())
        assert third.status_code == 200
