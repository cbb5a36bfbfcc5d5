"""The client's query_id: it is seen, it is alone, it is what KILL QUERY finds."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.wait import wait_until

ENDLESS = "SELECT count() FROM numbers(10000000000000) WHERE NOT ignore(sipHash64(number))"


class Query:
    """One that does not end by itself."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.id = f"it's-{uuid.uuid4().hex}"

    async def run(self, sql: str = ENDLESS, **parameters: str) -> httpx.Response:
        asked = {"query_id": self.id, "max_threads": "1"} | parameters
        return await self.http.post("/", params=asked, content=sql)

    async def seen(self) -> list[str]:
        """The texts of the queries that run under the id."""
        sql = "SELECT query FROM system.processes WHERE query_id = {id:String} FORMAT JSONCompact"
        answer = await self.http.post("/", params={"param_id": self.id}, content=sql)
        return [text.strip() for (text,) in answer.json()["data"]]

    async def count(self, count: int) -> None:
        """Returns when so many run."""

        async def reached() -> bool:
            return len(await self.seen()) == count

        await wait_until(reached, 60, f"{count} run")

    async def kill(self, rest: str = "ASYNC") -> str:
        quoted = self.id.replace("'", "\\'")
        sql = f"KILL QUERY WHERE query_id = '{quoted}' {rest}"
        return (await self.http.post("/", content=sql)).text


@pytest.fixture
async def query(clickhouse_url: str) -> AsyncIterator[Query]:
    async with httpx.AsyncClient(base_url=clickhouse_url, timeout=60) as http:
        query = Query(http)
        yield query
        await query.kill()
        await query.count(0)


@pytest.mark.parametrize("how", ["ASYNC", "SYNC", "AND user = 'default' SYNC", "AND 1 ASYNC"])
async def test_kill_query_finds_it(query: Query, how: str) -> None:
    task = asyncio.create_task(query.run())
    await query.count(1)
    assert await query.seen() == [ENDLESS]
    killed = await query.kill(how)
    assert query.id.replace("'", "\\'") in killed
    assert "/fd/" not in killed
    answer = await task
    assert answer.headers["x-clickhouse-exception-code"] == "394"
    assert answer.headers["x-clickhouse-query-id"] == query.id


async def test_a_trial_kill_names_it_and_leaves_it(query: Query) -> None:
    task = asyncio.create_task(query.run())
    await query.count(1)
    assert query.id.replace("'", "\\'") in await query.kill("TEST")
    assert await query.seen() == [ENDLESS]
    await query.kill()
    await task


async def test_kill_finds_no_other(query: Query) -> None:
    task = asyncio.create_task(query.run())
    await query.count(1)
    other = Query(query.http)
    assert await other.kill("SYNC") == ""
    assert await query.seen() == [ENDLESS]
    await query.kill()
    await task


async def test_a_second_query_under_the_same_id_is_refused(query: Query) -> None:
    task = asyncio.create_task(query.run())
    await query.count(1)
    answer = await query.run("SELECT 1")
    assert answer.headers["x-clickhouse-exception-code"] == "216"
    assert answer.text.startswith(
        f"Code: 216. DB::Exception: Query with id = {query.id} is already"
    )
    await query.kill()
    await task
    assert (await query.run("SELECT 1")).text == "1\n"


async def test_it_takes_the_place_of_the_first_where_it_says_so(query: Query) -> None:
    task = asyncio.create_task(query.run())
    await query.count(1)
    assert (await query.run("SELECT 1", replace_running_query="1")).text == "1\n"
    assert (await task).headers["x-clickhouse-exception-code"] == "394"


async def test_an_insert_under_it_is_found_too(query: Query) -> None:
    sql = "INSERT INTO FUNCTION null('n UInt64') SELECT number FROM system.numbers"
    task = asyncio.create_task(query.run(sql))
    await query.count(1)
    assert await query.seen() == [sql]
    await query.kill("SYNC")
    assert (await task).headers["x-clickhouse-exception-code"] == "394"


async def test_it_is_what_a_query_says_of_itself(query: Query) -> None:
    answer = await query.run("SELECT queryID(), initialQueryID()")
    assert answer.text == "\t".join([query.id.replace("'", "\\'")] * 2) + "\n"
    shown = await query.run("SHOW PROCESSLIST FORMAT JSONEachRow")
    assert query.id in [json.loads(line)["query_id"] for line in shown.text.splitlines()]


async def test_the_header_names_it_too(query: Query) -> None:
    answer = await query.http.post(
        "/", headers={"x-clickhouse-query-id": "by-header"}, content="SELECT queryID()"
    )
    assert answer.text == "by-header\n"
    assert answer.headers["x-clickhouse-query-id"] == "by-header"


async def test_a_client_that_leaves_stops_what_it_reads(query: Query) -> None:
    with pytest.raises(httpx.ReadTimeout):
        await query.http.post(
            "/", params={"query_id": query.id, "max_threads": "1"}, content=ENDLESS, timeout=1
        )
    await query.count(0)


async def test_unless_it_wants_it_to_go_on(query: Query) -> None:
    on = {"cancel_http_readonly_queries_on_client_close": "0", "query_id": query.id}
    with pytest.raises(httpx.ReadTimeout):
        await query.http.post("/", params=on | {"max_threads": "1"}, content=ENDLESS, timeout=1)
    await query.count(1)


async def test_progress_stands_in_the_headers(query: Query) -> None:
    sql = "SELECT count() FROM system.numbers WHERE NOT ignore(sipHash64(number))"
    for seconds in ("2", "10", "60"):  # on a busy machine a query may get to nothing in two
        asked = {"send_progress_in_http_headers": "1", "max_execution_time": seconds}
        answer = await query.run(sql, timeout_overflow_mode="break", **asked)
        assert answer.status_code == 200, answer.text
        progress = [json.loads(one) for one in answer.headers.get_list("x-clickhouse-progress")]
        if progress and int(progress[-1]["read_rows"]) > 0:
            break
    assert int(progress[-1]["read_rows"]) > 0


async def test_head_and_pages_that_are_not_served(query: Query) -> None:
    answer = await query.http.head("/", params={"query": "SELECT 1"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["x-clickhouse-format"] == "TabSeparated"
    assert (await query.http.head("/ping")).status_code == 200
    changed = await query.http.head("/", params={"query": "CREATE DATABASE by_head"})
    assert changed.headers["x-clickhouse-exception-code"] == "164"
    for path in ("/play", "/dashboard", "/binary"):
        refused = await query.http.get(path)
        assert refused.status_code == 404
        assert refused.text.startswith(f"There is no handle {path}\n\nUse / or /ping for health")
