"""The feed: each event once, in the order in which it was settled, up to what is settled."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_api.settings import RetentionSettings
from tests.support.feed import NOW, TOPIC, at, page, pages, settle, write
from tests.support.query import api, bearer, insert, settings
from tests.support.wait import wait_until


@pytest.fixture
async def client(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> AsyncIterator[httpx.AsyncClient]:
    started = datetime.now(UTC)
    # A cursor says when it was given: at one time, equal places have equal texts.
    async with api(settings(clickhouse_url, database), clock=lambda: started) as made:
        yield made


async def eventually(client: httpx.AsyncClient, paths: list[str], **parameters: Any) -> str:
    """The feed comes to this; it may be as old as its knowledge of what is settled."""
    found: list[Any] = []

    async def is_there() -> bool:
        found[:] = await pages(client, **parameters)
        return bool(found[0] == paths)

    await wait_until(is_there, 30, f"the feed has {paths}, not {found[:1]}")
    return str(found[1])


async def test_what_is_not_settled_waits(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """Offset 2 is in the table before 1: it must not be given, or 1 would come too late."""
    await insert(clickhouse, [at("o", 0, 0), at("o", 0, 2)])
    await settle(clickhouse, {0: 1})
    cursor = await eventually(client, ["/0/0"])
    assert await pages(client, after=cursor) == ([], cursor)
    await write(clickhouse, at("o", 0, 1))
    await settle(clickhouse, {0: 3})
    cursor = await eventually(client, ["/0/1", "/0/2"], after=cursor)
    assert await pages(client, after=cursor) == ([], cursor)


async def test_a_late_event_comes_later_and_not_back_in_time(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    await write(clickhouse, *(at("o", 0, n) for n in range(3)))
    cursor = await eventually(client, ["/0/0", "/0/1", "/0/2"])
    await write(clickhouse, at("o", 0, 3, at=NOW - timedelta(days=40)), at("o", 0, 4))
    await eventually(client, ["/0/3", "/0/4"], after=cursor)


async def test_partitions_do_not_wait_for_each_other(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """An org may be in several (another partitioner, partitions added); each has its own end."""
    await insert(clickhouse, [at("o", 1, n) for n in range(5)])
    await write(clickhouse, at("o", 0, 7), at("o", 0, 8))
    cursor = await eventually(client, ["/0/7", "/0/8"])
    await settle(clickhouse, {1: 5})
    cursor = await eventually(client, [f"/1/{n}" for n in range(5)], after=cursor, limit=2)
    await write(clickhouse, at("o", 0, 9), at("o", 1, 5))
    await wait_until(lambda: _has(client, cursor, 2), 30, "both are given")
    assert sorted((await pages(client, after=cursor))[0]) == ["/0/9", "/1/5"]


async def _has(client: httpx.AsyncClient, cursor: str, count: int) -> bool:
    return len((await pages(client, after=cursor))[0]) == count


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_pages_of_any_size_bring_the_same(
    client: httpx.AsyncClient, clickhouse: AsyncClient, limit: int
) -> None:
    rows = [at("o", n % 3, n // 3, at=NOW - timedelta(hours=n * 7 % 50)) for n in range(30)]
    await write(clickhouse, *rows, at("another", 0, 10))
    found, _ = await pages(client, limit=limit)
    assert sorted(found) == sorted(one["path"] for one in rows)
    for partition in range(3):  # each in its own order
        own = [path for path in found if path.startswith(f"/{partition}/")]
        assert own == [f"/{partition}/{n}" for n in range(10)]


async def test_several_topics_and_generations(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """Equal offsets of a topic, of the one that came after it under the same name, of a spool."""
    for topic in (TOPIC, f"{TOPIC}#1", "spool:host-1-abc"):
        await write(clickhouse, at("o", 0, 0, _topic=topic, path=topic))
    cursor = await eventually(client, [TOPIC, f"{TOPIC}#1", "spool:host-1-abc"])
    await write(clickhouse, at("o", 0, 1, _topic=f"{TOPIC}#1", path="next"))
    await eventually(client, ["next"], after=cursor)


async def test_a_table_that_was_truncated_and_is_read_again_brings_nothing_twice(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    await write(clickhouse, *(at("o", 0, n) for n in range(4)))
    cursor = await eventually(client, [f"/0/{n}" for n in range(4)])
    await clickhouse.command("TRUNCATE TABLE events")
    assert await pages(client, after=cursor) == ([], cursor)
    # As a consumer does it: it says that it begins again, reads what was there, and goes on.
    await settle(clickhouse, {0: 0})
    await insert(clickhouse, [at("o", 0, 5), *(at("o", 0, n) for n in range(3))])
    await settle(clickhouse, {0: 3})
    await wait_until(lambda: _has(client, "beginning", 3), 30, "it begins again")
    assert await pages(client, after=cursor) == ([], cursor)  # 4 is missing, so 5 has to wait
    await write(clickhouse, at("o", 0, 3), at("o", 0, 4))
    await settle(clickhouse, {0: 6})
    await eventually(client, ["/0/4", "/0/5"], after=cursor)


async def test_what_is_erased_is_left_out_and_moves_nothing(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    await write(clickhouse, *(at("o", 0, n, user_id=f"u{n % 2}") for n in range(6)))
    found = await page(client, limit=2)
    await clickhouse.command(
        "ALTER TABLE events DELETE WHERE user_id = 'u1'", settings={"mutations_sync": 2}
    )
    assert (await pages(client, after=found["next_cursor"]))[0] == ["/0/2", "/0/4"]


async def test_an_event_that_is_in_the_table_twice_is_given_once(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    """The same id in two partitions, which the consumer does not promise to find: whichever of
    them is settled first is given, whatever the reader's pages are."""
    first = at("o", 0, 0)
    await write(clickhouse, first)
    cursor = await eventually(client, ["/0/0"])
    again = {**first, "_partition": 1, "_offset": 5, "path": "/again"}
    await write(clickhouse, again, at("o", 1, 6), {**again, "_offset": 7})
    await eventually(client, ["/1/6"], after=cursor)
    for limit in (1, 2, 100):
        found, _ = await pages(client, limit=limit)
        assert len(found) == 2
        assert "/1/6" in found


@pytest.mark.parametrize("limit", [1, 3, 200])
async def test_a_filter_that_lets_little_through(
    client: httpx.AsyncClient, clickhouse: AsyncClient, limit: int
) -> None:
    rows = [at("o", 0, n, user_id="rare" if n % 50 == 7 else "") for n in range(300)]
    await write(clickhouse, *rows)
    expected = [f"/0/{n}" for n in range(7, 300, 50)]
    assert (await pages(client, user_id="rare", limit=limit))[0] == expected


async def test_from_now_on(client: httpx.AsyncClient, clickhouse: AsyncClient) -> None:
    await insert(clickhouse, [at("o", 0, n) for n in range(4)])
    await settle(clickhouse, {0: 3})
    cursor = (await page(client, after="now"))["next_cursor"]
    await write(clickhouse, at("o", 1, 0))
    await settle(clickhouse, {0: 4})
    # What was on its way, and a partition that the org was not in.
    await wait_until(lambda: _has(client, cursor, 2), 30, "both are given")
    assert sorted((await pages(client, after=cursor))[0]) == ["/0/3", "/1/0"]


async def test_the_watermark_is_told_with_the_page(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    assert (await page(client))["watermark"] is None
    columns = ["topic", "partition", "partitions", "complete_through"]
    through = datetime.now(UTC).replace(microsecond=7000)  # older ones go by their TTL
    await clickhouse.insert("progress", [[TOPIC, 0, 1, through]], columns)

    async def is_told() -> bool:
        return bool((await page(client))["watermark"] == f"{through:%Y-%m-%dT%H:%M:%S}.007Z")

    await wait_until(is_told, 30, "the watermark is told")


async def refused(client: httpx.AsyncClient, org_id: str = "o", **parameters: Any) -> str:
    url = f"/v1/orgs/{org_id}/activity/feed"
    response = await client.get(url, params=parameters, headers=bearer(org_id))
    assert response.status_code == 400, response.text
    body = response.json()
    assert body["details"]["parameter"] == "after"
    return str(body["error"])


async def test_an_altered_or_foreign_cursor_is_refused(
    client: httpx.AsyncClient, clickhouse: AsyncClient
) -> None:
    await write(clickhouse, at("o", 0, 0), at("p", 0, 1))
    cursor = (await page(client))["next_cursor"]
    altered = ("A" if cursor[10] != "A" else "B").join((cursor[:10], cursor[11:]))
    for bad in (altered, cursor[:-1], cursor + "A", cursor + "=", "x", "é", " "):
        assert await refused(client, after=bad) == "CURSOR_INVALID", bad
    assert await refused(client, "p", after=cursor) == "CURSOR_INVALID"
    assert await refused(client, after=cursor, user_id="u") == "CURSOR_INVALID"
    listed = await client.get("/v1/orgs/o/activity?limit=1", headers=bearer("o"))
    assert await refused(client, after=listed.json()["next_cursor"] or "AAAA") == "CURSOR_INVALID"


async def test_a_cursor_is_good_for_as_long_as_events_are_kept(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    await write(clickhouse, at("o", 0, 0), at("kept", 0, 1))
    await clickhouse.insert("retention", [["kept", 400]], ["org_id", "days"])
    now = [NOW]
    configured = settings(clickhouse_url, database, retention=RetentionSettings(days=30))
    async with api(configured, clock=lambda: now[0]) as client:
        cursors = {org: (await page(client, org))["next_cursor"] for org in ("o", "kept")}
        now[0] = NOW + timedelta(days=29)
        assert (await pages(client, after=cursors["o"]))[0] == []
        now[0] = NOW + timedelta(days=31)
        assert await refused(client, after=cursors["o"]) == "CURSOR_EXPIRED"
        assert (await pages(client, "kept", after=cursors["kept"]))[0] == []
        now[0] = NOW + timedelta(days=401)
        assert await refused(client, "kept", after=cursors["kept"]) == "CURSOR_EXPIRED"
        # One that was used in time is a new one.
        now[0] = NOW + timedelta(days=29)
        again = (await page(client, after=cursors["o"]))["next_cursor"]
        now[0] = NOW + timedelta(days=50)
        assert (await pages(client, after=again))[0] == []
