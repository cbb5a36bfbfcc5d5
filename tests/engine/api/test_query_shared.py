"""Requests at the same moment: equal ones share a query, others never."""

import asyncio
from datetime import UTC, datetime

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.query import api, bearer, insert, row, settings

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)


async def test_each_sees_what_it_may(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """One path, at once: whole org, one workspace, two, another org, and no right at all."""
    rows = [row("o", NOW, workspace_id=name) for name in ("w1", "w2", "w2", "w3")]
    await insert(clickhouse, [*rows, row("p", NOW, workspace_id="w1")])
    cases = [
        (bearer("o"), 4),
        (bearer("o", workspaces=("w1",)), 1),
        (bearer("o", workspaces=("w2",)), 2),
        (bearer("o", workspaces=("w1", "w2")), 3),
        (bearer("o", workspaces=()), 0),
    ]
    async with api(settings(clickhouse_url, database)) as client:
        for path in ("activity", "activity/summary?hours=168"):
            answers = await asyncio.gather(
                *(client.get(f"/v1/orgs/o/{path}", headers=one) for one, _ in cases * 4)
            )
            if path == "activity":
                totals = [answer.json()["total"] for answer in answers]
                assert totals == [total for _, total in cases * 4]
            assert {answer.status_code for answer in answers} == {200}
        strangers = await asyncio.gather(
            client.get("/v1/orgs/o/activity", headers=bearer("o")),
            client.get("/v1/orgs/o/activity", headers=bearer("p")),
            client.get("/v1/orgs/p/activity", headers=bearer("p")),
        )
    assert [answer.status_code for answer in strangers] == [200, 404, 200]


async def test_what_was_in_before_a_request_is_in_its_answer(
    clickhouse: AsyncClient, clickhouse_url: str, database: str
) -> None:
    """Also with the same request on its way all the time."""
    async with api(settings(clickhouse_url, database)) as client:

        async def total() -> int:
            answer = await client.get("/v1/orgs/o/activity", headers=bearer("o"))
            assert answer.status_code == 200, answer.text
            return int(answer.json()["total"])

        done = asyncio.Event()

        async def ask_all_the_time() -> None:
            while not done.is_set():
                await total()

        others = [asyncio.create_task(ask_all_the_time()) for _ in range(3)]
        for count in range(1, 11):
            await insert(clickhouse, [row("o", NOW)])
            assert await total() == count
        done.set()
        await asyncio.gather(*others)


async def test_errors_are_shared(clickhouse_url: str, database: str) -> None:
    """A thing that was never seen is a 404 for all who ask for it."""
    async with api(settings(clickhouse_url, database)) as client:
        answers = await asyncio.gather(
            *(client.get("/v1/orgs/o/users/u/activity", headers=bearer("o")) for _ in range(8))
        )
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.json()["message"] for answer in answers}) == 1
