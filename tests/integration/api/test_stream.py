"""`/activity/stream` of the real server: live events, going on, slow and many readers, the end."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.integration.api.test_query_serve import Api, serving
from tests.support.feed import at, write
from tests.support.query import bearer
from tests.support.wait import wait_until

URL = "/v1/orgs/o/activity/stream"


@pytest.fixture
async def served(clickhouse_url: str, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    environment = {
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
        "ACTIVITY_STREAM_HEARTBEAT_S": "0.5",
        "ACTIVITY_STREAM_CONNECTIONS_PER_ORG": "20",
    }
    async with serving(tmp_path / "api.log", clickhouse_url, **environment) as api:
        yield api


class Tail:
    """A reader, as fetch() is one: what it has got so far."""

    def __init__(self) -> None:
        self.text = ""
        self.is_over = False

    @property
    def events(self) -> list[dict[str, str]]:
        blocks = [block.splitlines() for block in self.text.split("\n\n")[:-1]]
        fields = [dict(line.split(": ", 1) for line in block) for block in blocks]
        return [one for one in fields if one.get("event") == "activity"]

    @property
    def paths(self) -> list[str]:
        return [json.loads(one["data"])["path"] for one in self.events]

    async def read(self, response: httpx.Response) -> None:
        with contextlib.suppress(httpx.HTTPError):
            async for piece in response.aiter_text():
                self.text += piece
        self.is_over = True


@contextlib.asynccontextmanager
async def tailing(api: Api, org_id: str = "o", **more: Any) -> AsyncIterator[Tail]:
    """Begins when the server has said that it does."""
    tail = Tail()
    headers = bearer(org_id) | more.pop("headers", {})
    url = f"/v1/orgs/{org_id}/activity/stream"
    async with api.client.stream("GET", url, headers=headers, params=more, timeout=60) as answer:
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(tail.read(answer))
        await wait_until(lambda: "retry:" in tail.text, 60, "it begins")
        yield tail
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_events_as_they_come_and_on_from_any_of_them(
    served: Api, clickhouse: AsyncClient
) -> None:
    await write(clickhouse, *(at("o", 0, n) for n in range(3)), at("p", 0, 10))
    async with tailing(served) as tail, tailing(served, user_id="u") as filtered:
        await wait_until(lambda: ": heartbeat" in tail.text, 60, "a heartbeat")
        await write(
            clickhouse,
            at("o", 0, 11, metadata='{"a":\n1}'),
            at("o", 0, 12, user_id="u"),
            at("o", 1, 0),
        )
        await wait_until(lambda: len(tail.paths) == 3, 60, "all are there")
        await wait_until(lambda: filtered.paths == ["/0/12"], 60, "the one that is asked for")
        assert sorted(tail.paths) == ["/0/11", "/0/12", "/1/0"]
        listed = (await served.client.get("/v1/orgs/o/activity", headers=bearer("o"))).json()
        by_path = {one["path"]: one for one in listed["activities"]}
        assert all(
            json.loads(one["data"]) == by_path[json.loads(one["data"])["path"]]
            for one in tail.events
        )
    # From any of them on, by the browser's header or by the parameter; a feed takes the same.
    for place in range(3):
        last = tail.events[place]["id"]
        rest = tail.paths[place + 1 :]
        for asked in ({"headers": {"last-event-id": last}}, {"after": last}):
            async with tailing(served, **asked) as again:
                await wait_until(lambda: again.paths == rest, 60, f"{rest}, not {again.paths}")  # noqa: B023
        page = await served.client.get(
            "/v1/orgs/o/activity/feed", headers=bearer("o"), params={"after": last}
        )
        assert [one["path"] for one in page.json()["activities"]] == rest
    async with tailing(served, after="beginning") as whole:
        await wait_until(lambda: len(whole.paths) == 6, 60, "all that is kept")


async def test_what_is_refused(served: Api, clickhouse: AsyncClient) -> None:
    await write(clickhouse, at("o", 0, 0))
    client = served.client
    assert (await client.get(URL)).status_code == 401
    assert (await client.get(URL, headers=bearer("o", permissions=()))).status_code == 403
    assert (await client.get(URL, headers=bearer("p"))).status_code == 404
    for headers, parameters in (({"last-event-id": "x"}, {}), ({}, {"after": "x"})):
        answer = await client.get(URL, headers=bearer("o") | headers, params=parameters)
        assert (answer.status_code, answer.json()["error"]) == (400, "CURSOR_INVALID")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            await stack.enter_async_context(tailing(served))
        answer = await client.get(URL, headers=bearer("o"))
        assert (answer.status_code, answer.json()["details"]) == (429, {"limit": "tails"})
        await stack.enter_async_context(tailing(served, "p"))
        # They keep nobody from the rest of the API.
        assert (await client.get("/v1/orgs/o/activity", headers=bearer("o"))).status_code == 200

    async def has_room() -> bool:
        page = (await client.get("/metrics")).text
        return "activity_api_tails 0.0" in page

    await wait_until(has_room, 60, "the places are free again")


async def test_who_does_not_read_keeps_nobody_waiting_and_can_go_on(
    served: Api, clickhouse: AsyncClient
) -> None:
    """Its socket is full, and then nothing more is read for it; others get all at once."""
    big = json.dumps({"text": "x" * 30_000})
    address = urlsplit(str(served.client.base_url))
    raw = socket.create_connection((address.hostname, address.port))
    head = f"GET {URL}?after=beginning HTTP/1.1\r\nHost: api\r\n"
    raw.sendall(f"{head}Authorization: {bearer('o')['authorization']}\r\n\r\n".encode())
    async with tailing(served) as tail:
        for step in range(4):
            await write(clickhouse, *(at("o", 0, step * 80 + n, metadata=big) for n in range(80)))
            expected = (step + 1) * 80
            await wait_until(lambda: len(tail.paths) == expected, 60, "all at once")  # noqa: B023
    raw.settimeout(60)
    seen = b""
    while seen.count(b"event: activity") < 320 or not seen.endswith(b"\n\n\r\n"):
        piece = await asyncio.to_thread(raw.recv, 1 << 20)
        assert piece
        seen += piece
    raw.close()
    ids = [json.loads(line[6:])["path"] for line in _lines(seen) if line.startswith(b"data: ")]
    assert ids == [f"/0/{n}" for n in range(320)]


def _lines(seen: bytes) -> list[bytes]:
    """Of a chunked body."""
    body, found = seen.partition(b"\r\n\r\n")[2], []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        found.append(body[:length])
        body = body[length + 2 :]
    return b"".join(found).split(b"\n")


async def test_at_the_stop_each_tail_ends_whole(served: Api, clickhouse: AsyncClient) -> None:
    await write(clickhouse, at("o", 0, 0))
    async with tailing(served) as tail, tailing(served, after="beginning") as other:
        await wait_until(lambda: other.paths, 60, "an event")
        await served.process.stop()
        await wait_until(lambda: tail.is_over and other.is_over, 60, "both end")
    assert other.text.endswith("\n\n")
    assert not [line for line in served.process.output() if "ERROR" in line or "Traceback" in line]
