"""Large answers: they begin before they end, errors come behind what was sent, and nobody holds
them in memory."""

import asyncio
import json
import re
import uuid
from collections.abc import AsyncIterator

import httpx
import lz4.frame
import pytest

from activity_deploy.clickhouse import framing
from tests.support.wait import wait_until

ENDLESS = "SELECT number FROM system.numbers"
BIG = "SELECT number FROM numbers(3000000)"
# One thread: what comes before the error is written before it.
LATE = "SELECT number, throwIf(number = 1000000) FROM numbers(10000000) SETTINGS max_threads = 1"


@pytest.fixture
async def http(clickhouse_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=clickhouse_url, timeout=60) as client:
        del client.headers["accept-encoding"]
        yield client


async def test_an_answer_begins_before_it_ends(http: httpx.AsyncClient) -> None:
    async with http.stream("POST", "/", content=ENDLESS) as answer:
        assert answer.status_code == 200
        assert "content-length" not in answer.headers
        summary = json.loads(answer.headers["x-clickhouse-summary"])
        assert int(summary["read_rows"]) > 0
        pieces = answer.aiter_bytes()
        assert (await anext(pieces)).startswith(b"0\n1\n2\n")


@pytest.mark.parametrize("fmt", ["TSV", "CSVWithNames", "JSONCompact", "JSON", "Native", "Parquet"])
async def test_a_large_answer_is_the_same_as_one_that_was_waited_for(
    http: httpx.AsyncClient, fmt: str
) -> None:
    sql = f"SELECT number, toString(number) FROM numbers(300000) FORMAT {fmt}"
    settings = {"max_threads": "1", "output_format_write_statistics": "0"}
    streamed = await http.post("/", params=settings, content=sql)
    waited = await http.post("/", params=settings | {"wait_end_of_query": "1"}, content=sql)
    assert "content-length" not in streamed.headers
    assert int(waited.headers["content-length"]) == len(waited.content)
    if fmt != "Parquet":  # its pages are cut where the blocks come in
        assert streamed.content == waited.content
    assert json.loads(waited.headers["x-clickhouse-summary"])["result_rows"] == "300000"


@pytest.mark.parametrize("compress", ["0", "1"])
async def test_an_error_after_the_first_byte_stands_at_the_end(
    http: httpx.AsyncClient, compress: str
) -> None:
    received = b""
    with pytest.raises(httpx.RemoteProtocolError):  # it is no complete answer
        async with http.stream("POST", "/", params={"compress": compress}, content=LATE) as answer:
            assert answer.status_code == 200
            tag = answer.headers["x-clickhouse-exception-tag"].encode()
            async for piece in answer.aiter_raw():
                received += piece
    if compress == "1":
        received = b"".join(framing.decode([received]))
    end = rb"\r\n__exception__\r\n%s\r\n(Code: 395\. .*\n)(\d+) %s\r\n__exception__\r\n$"
    found = re.search(end % (tag, tag), received)
    assert found is not None, received[-500:]
    assert int(found[2]) == len(found[1])


async def test_an_error_in_an_answer_that_is_waited_for_has_its_status(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post("/", params={"wait_end_of_query": "1"}, content=LATE)
    assert answer.status_code == 500
    assert answer.headers["x-clickhouse-exception-code"] == "395"
    assert answer.text.startswith("Code: 395. ")


async def test_a_timeout_after_the_first_byte(http: httpx.AsyncClient) -> None:
    query_id = uuid.uuid4().hex

    async def is_over_its_time() -> bool:
        sql = f"SELECT count() FROM system.processes WHERE query_id = '{query_id}' AND elapsed > 6"
        return (await http.post("/", content=sql)).text == "1\n"

    received = b""
    parameters = {"max_execution_time": "6", "query_id": query_id}
    with pytest.raises(httpx.RemoteProtocolError):
        async with http.stream("POST", "/", params=parameters, content=ENDLESS) as answer:
            # Nobody reads, so that it waits, and there is little to read then.
            await wait_until(is_over_its_time, 60, "its time is over")
            async for piece in answer.aiter_raw():
                received = received[-1000:] + piece
    assert b"Code: 159. " in received


async def test_a_client_that_leaves_in_the_middle_stops_its_query(http: httpx.AsyncClient) -> None:
    query_id = uuid.uuid4().hex

    async def count() -> str:
        sql = f"SELECT count() FROM system.processes WHERE query_id = '{query_id}'"
        return (await http.post("/", content=sql)).text.strip()

    async def is_gone() -> bool:
        return await count() == "0"

    async with http.stream("POST", "/", params={"query_id": query_id}, content=ENDLESS) as answer:
        assert await anext(answer.aiter_bytes())
        assert await count() == "1"
    await wait_until(is_gone, 60, "the query is gone")


async def test_one_that_does_not_read_holds_up_nobody(http: httpx.AsyncClient) -> None:
    async with http.stream("POST", "/", content=ENDLESS):
        others = [http.post("/", content="SELECT 1") for _ in range(5)]
        assert [answer.text for answer in await asyncio.gather(*others)] == ["1\n"] * 5


async def test_a_large_answer_is_compressed_as_it_goes(http: httpx.AsyncClient) -> None:
    plain = (await http.post("/", content=BIG)).content
    framed = await http.post("/", params={"compress": "1"}, content=BIG)
    assert b"".join(framing.decode([framed.content])) == plain
    parameters = {"enable_http_compression": "1", "compress": "1"}
    request = http.build_request(
        "POST", "/", params=parameters, headers={"accept-encoding": "lz4"}, content=BIG
    )
    both = await http.send(request, stream=True)
    packed = b"".join([piece async for piece in both.aiter_raw()])
    assert both.headers["content-encoding"] == "lz4"
    # As ClickHouse nests them: framed first, HTTP's around it.
    assert b"".join(framing.decode([lz4.frame.decompress(packed)])) == plain
