"""Whatever row the table holds, all 15 endpoints answer 200, valid by JSON and by the document."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from activity_api.openapi.document import document
from activity_schemas.answers import NOT_FINITE, ActivityPage
from tests.support.query import Row, api, bearer, insert_lines, row, settings, stored

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
DOCUMENT = document()
# Of one row each: the ids under which the rows are asked for.
PLACE = {"workspace_id": "w", "user_id": "u", "app_id": "a", "endpoint_id": "e"} | {
    "augmentation_id": "g",
    "resource_id": "r",
}
IN_WORKSPACE = (
    "workspaces/w/activity", "workspaces/w/activity/summary", "workspaces/w/apps/a/activity",
    "workspaces/w/apps/a/endpoints/e/activity", "workspaces/w/apps/a/endpoints/e/activity/summary",
    "workspaces/w/augmentations/g/activity", "workspaces/w/resources/r/activity",
    "workspaces/w/activity/search", "workspaces/w/activity/actions/read",
)  # fmt: skip
TARGETS = (
    "activity", "activity/summary", "users/u/activity", "users/u/activity/summary", "me/activity",
    "me/activity/summary", *IN_WORKSPACE,
)  # fmt: skip

# Any bytes at all: what is no UTF-8 is a surrogate here, until it is written.
texts = st.one_of(
    st.text(max_size=5),
    st.binary(max_size=8).map(lambda b: b.decode("utf-8", "surrogateescape")),
    st.sampled_from(["", "\x00", "\x1e", "\x1f\n\r\t\b", "\u2028", "\x80\udcff", "\\ud800", '"']),
    st.just("x" * 5000),
)  # fmt: skip
metadata = st.one_of(
    texts,
    st.sampled_from(
        [
            *("", "null", "5", '"x"', "[1]", "NaN", '{"a":NaN}', '{"a":1e400}', '{"a":-Infinity}'),
            *('{"a":"\\ud800"}', '{"\\udc00":1}', '{"a":"\x1e"}', '{"a":"\udcff"}', "\ufeff{}"),
            *(" {}", "{} ", "{}\x00", "{}{}", '{"a":01}', '{"a":1,"a":2}', '{"a":1e-400}'),
            *('{"a":' + "9" * 400 + "}", '{"a":' * 300 + "{}" + "}" * 300, "[" * 2000, "{\n}"),
        ]
    ),
)
words = st.one_of(st.sampled_from(["read", ""]), texts)
rows = st.fixed_dictionaries(
    {},
    optional={
        "timestamp": st.sampled_from(
            [
                *("1900-01-01 00:00:00.000000", "1969-12-31 23:59:59.999999"),
                *("1970-01-01 00:00:00.000000", "2106-02-07 06:28:16.000000"),
                *("2200-01-01 00:00:00.000000", "2299-12-31 23:59:59.999999"),
            ]
        ),
        "id": st.sampled_from([str(UUID(int=0)), str(UUID(int=2**128 - 1))]),
        "action": words,
        "resource_type": words,
        "duration_ms": st.one_of(
            st.sampled_from(["inf", "-inf", "nan", 1e308, -1e308, NOT_FINITE, 5e-324]),
            st.floats(allow_nan=False, allow_infinity=False),
        ),
        "status_code": st.integers(0, 2**16 - 1),
        "stages_completed": st.one_of(st.none(), st.integers(0, 2**16 - 1)),
        "token_usage": st.lists(
            st.tuples(st.one_of(st.just("total"), texts), st.integers(0, 2**64 - 1)), max_size=4
        ),
        "metadata": metadata,
        "schema_version": st.integers(0, 255),
        **dict.fromkeys(
            (
                *("trace_id", "principal_type", "principal_id", "token_id", "token_type"),
                *("method", "path", "error_code", "execution_id", "producer_id"),
            ),
            texts,
        ),
    },
)


@pytest.fixture
async def client(clickhouse_url: str, database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The API over this test's database, its hour that of the rows."""
    async with api(settings(clickhouse_url, database), clock=lambda: NOW) as client:
        yield client


async def put(clickhouse: AsyncClient, rows: list[Row]) -> None:
    """Past the consumer: any bytes in a text, a name twice in a map."""
    lines = [stored(one) for one in rows]
    names = {"token_usage", *(name for one in lines for name in one)}
    body = "\n".join(map(_line, lines)).encode("utf-8", "surrogateescape")
    await insert_lines(clickhouse, names, body)


def _line(one: Row) -> str:
    usage = ",".join(f"{_text(name)}:{count}" for name, count in one.get("token_usage", []))
    others = {name: value for name, value in one.items() if name != "token_usage"}
    return f'{_text(others)[:-1]},"token_usage":{{{usage}}}}}'


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def read(response: httpx.Response) -> dict[str, Any]:
    """By a strict parser, and by the document's schema."""
    assert response.status_code == 200, response.text
    text = response.content.decode("utf-8", "strict")
    body: dict[str, Any] = json.loads(text, parse_constant=pytest.fail)
    name = "ActivityPage" if "activities" in body else "ActivitySummary"
    schema = {"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]}
    Draft202012Validator(schema).validate(body)
    return body


@examples(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(some=st.lists(rows, min_size=1, max_size=5))
async def test_any_row(
    clickhouse: AsyncClient, client: httpx.AsyncClient, *, some: list[Row]
) -> None:
    org_id = str(uuid4())
    await put(clickhouse, [row(org_id, NOW.replace(minute=1), **PLACE)])
    await put(clickhouse, [row(org_id, NOW.replace(minute=2), **PLACE) | one for one in some])
    assert len(TARGETS) == len(DOCUMENT["paths"])
    for target in TARGETS:
        # Two a page: each position that a cursor may have to hold.
        url, cursor = f"/v1/orgs/{org_id}/{target}", ""
        while True:
            asked = {} if target.endswith("summary") else {"limit": "2", "cursor": cursor}
            response = await client.get(url, params=asked, headers=bearer(org_id, "u"))
            cursor = read(response).get("next_cursor") or ""
            if not cursor:
                break


@pytest.mark.parametrize("durations", [["inf"], ["nan"], ["-inf"], [1e308] * 2, ["inf", "-inf"]])
async def test_a_duration_that_no_event_may_have_is_left_out_of_the_average(
    clickhouse: AsyncClient, client: httpx.AsyncClient, durations: list[Any]
) -> None:
    await put(
        clickhouse,
        [row("o", NOW.replace(hour=hour), duration_ms=ms) for ms in durations for hour in (1, 4)],
    )
    for hours in (1, 24):  # rows of an edge; whole hours of a rollup
        url = f"/v1/orgs/o/activity/summary?hours={hours}"
        summary = read(await client.get(url, headers=bearer("o")))
        assert summary["total_requests"] == len(durations) * (1 if hours == 1 else 2)
        assert summary["avg_duration_ms"] == 0
    page = read(await client.get("/v1/orgs/o/activity", headers=bearer("o")))
    shown = {activity["duration_ms"] for activity in page["activities"]}
    assert shown == {ms if isinstance(ms, float) else NOT_FINITE for ms in durations}


async def test_bytes_that_are_no_text_are_replaced(
    clickhouse: AsyncClient, client: httpx.AsyncClient
) -> None:
    """Each by U+FFFD, and nothing else of the page."""
    await put(
        clickhouse,
        [row("o", NOW, path="/a\udcffb", method="\udced\udca0\udc80"), row("o", NOW, path="é")],
    )
    response = await client.get("/v1/orgs/o/activity", headers=bearer("o"))
    page = ActivityPage.model_validate_json(response.content)
    assert {activity.path for activity in page.activities} == {"/a\ufffdb", "é"}


@pytest.mark.parametrize("text", ["5", "[1]", "null", "NaN", '{"a":1e400}', "\ufeff{}", " {}", ""])
async def test_metadata_that_is_no_object_is_an_empty_one(
    clickhouse: AsyncClient, client: httpx.AsyncClient, text: str
) -> None:
    await put(clickhouse, [row("o", NOW, metadata=text)])
    page = read(await client.get("/v1/orgs/o/activity", headers=bearer("o")))
    assert page["activities"][0]["metadata"] == {}
