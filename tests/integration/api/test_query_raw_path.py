"""Every id that an event may have is read through every endpoint, from a real socket."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_api.openapi.document import document
from tests.integration.api.test_query_serve import Api, serving
from tests.support.http import send
from tests.support.query import bearer, insert, row

PATHS = list(document()["paths"])
IDS = ("workspace_id", "user_id", "app_id", "endpoint_id", "augmentation_id", "resource_id")
NAMES = ("org_id", *IDS)
ODD = (
    *("a/b", "/", "//", "a%2Fb", "%252F", "%", "%2", "%zz", "..", ".", "../..", "?a=b&c", "#x"),
    *("+", " ", "a b ", " a", ";v=1", "\\", "\x00", "\n", "activity\n", "activity", "summary"),
    *("search", "me", "orgs", "'\"", "é", "e\u0301", "💥" * 256, "x" * 256, "\ufeff", "\u2028"),
    "{org_id}",
)
ids = st.one_of(
    st.sampled_from(ODD),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256),
)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def least(text: str) -> str:
    return quote(text, safe="!$&'()*+,;=:@~")


def lower(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


def upper(text: str) -> str:
    return lower(text).upper()


@pytest.fixture
async def served(clickhouse_url: str, database: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The process itself, over this test's database."""
    log, name = tmp_path / "api.log", {"ACTIVITY_CLICKHOUSE_DATABASE": database}
    async with serving(log, clickhouse_url, **name) as started:
        yield started


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW)
@given(
    texts=st.lists(ids, min_size=len(NAMES), max_size=len(NAMES)),
    escape=st.sampled_from([least, lower, upper]),
)
async def test_all_endpoints_read_all_ids(
    clickhouse: AsyncClient, served: Api, *, texts: list[str], escape: object
) -> None:
    assert callable(escape)
    place = dict(zip(NAMES, texts, strict=True))
    # An org of this example, still no longer than an id may be.
    place["org_id"] = place["org_id"][:200] + datetime.now(UTC).isoformat()
    fields = {name: value for name, value in place.items() if name != "org_id"}
    await insert(clickhouse, [row(place["org_id"], datetime.now(UTC), **fields)])
    headers = bearer(place["org_id"], place["user_id"])
    assert len(PATHS) == 15
    for path in PATHS:
        target = path.format(action="read", **{name: escape(v) for name, v in place.items()})
        answer = await send(served.client.base_url, target, headers)
        assert answer.status == 200, (target, answer)
        body = answer.json()
        assert body.get("total", body.get("total_requests")) == 1, (target, body)


async def test_an_encoded_slash_is_no_slash(served: Api, clickhouse: AsyncClient) -> None:
    """At any place: what a proxy that reads the raw path sees is what is answered."""
    base = served.client.base_url
    fields = dict.fromkeys(IDS, "read")
    await insert(clickhouse, [row("read", datetime.now(UTC), **fields)])
    for path in PATHS:
        target = path.format_map(dict.fromkeys((*NAMES, "action"), "read"))
        assert (await send(base, target, bearer("read"))).status == 200
        for at in [at for at, character in enumerate(target) if character == "/"][1:]:
            for slash in ("%2F", "%2f"):
                encoded = target[:at] + slash + target[at + 1 :]
                answer = await send(base, encoded, bearer("read"))
                assert answer.status == 404, encoded
                assert answer.json()["error"] == "RESOURCE_NOT_FOUND"
    await insert(clickhouse, [row("tenant-a", datetime.now(UTC), workspace_id="ws1")])
    target = "/v1/orgs/tenant-a%2Fworkspaces%2Fws1%2Factivity"
    answer = await send(base, target, bearer("tenant-a"))
    assert answer.json()["details"] == {"resource_type": "route", "resource_id": target}


LIST = "/v1/orgs/o/activity"


async def test_nothing_is_normalised(served: Api) -> None:
    for target in (
        LIST,
        "/v1/orgs/o/%61ctivity",  # RFC 3986 §6.2.2.2: the same
        "http://elsewhere" + LIST,  # absolute form, RFC 9112 §3.2.2
    ):
        assert (await send(served.client.base_url, target, bearer("o"))).status == 200, target
    for target in (
        *(LIST + "/", LIST + "//", "//v1/orgs/o/activity", "/v1//orgs/o/activity"),
        *("/v1/orgs//activity", "/V1/orgs/o/activity", "/v1/orgs/o/./activity"),
        *("/v1/orgs/o/x/../activity", "/v1/orgs/o/%2E/activity", LIST + "%0A", LIST + "%00"),
        *(LIST + "%3Flimit=1", LIST + "%20", LIST + ";v=1"),
        # Bytes that are no text are no id.
        *(f"/v1/orgs/{id_}/activity" for id_ in ("%FF", "%C0%AF", "%ED%A0%80", "a%E2%82")),
        *(f"/v1/orgs/o/users/{id_}/activity" for id_ in ("%ff", "%F5%80%80%80", "%80")),
    ):
        answer = await send(served.client.base_url, target, bearer("o"))
        assert answer.status == 404, (target, answer)
        assert answer.json()["error"] == "RESOURCE_NOT_FOUND"


async def test_other_methods(served: Api) -> None:
    for method in ("POST", "OPTIONS", "DELETE", "PATCH", "PUT", "TRACE"):
        for target in (LIST, "/v1/orgs/a%2Fb/activity", *PAGES):
            answer = await send(served.client.base_url, target, bearer("o"), method)
            assert (answer.status, answer.json()["error"]) == (405, "METHOD_NOT_ALLOWED")
            assert answer.headers["allow"] == "GET, HEAD"
        for target in ("/v1/orgs/o%2Factivity", LIST + "/", "/healthz/"):
            answer = await send(served.client.base_url, target, bearer("o"), method)
            assert answer.status == 404


PAGES = ("/", "/healthz", "/readyz", "/docs", "/openapi.json")


async def test_head_is_get_without_its_body(served: Api, clickhouse: AsyncClient) -> None:
    await insert(clickhouse, [row("o", datetime.now(UTC), user_id="u/v") for _ in range(40)])
    asked = {**bearer("o"), "accept-encoding": "gzip"}
    for target in (
        *(LIST, LIST + "?limit=1", LIST + "/summary", "/v1/orgs/o/users/u%2Fv/activity", *PAGES),
        *(LIST + "?limit=0", LIST + "?x=1", "/nope", "/v1/orgs/p/activity", "/v1/orgs/%FF"),
        "/v1/orgs/o/workspaces/none/activity",
    ):
        get, head = [await send(served.client.base_url, target, asked, m) for m in ("GET", "HEAD")]
        assert (head.status, head.rest) == (get.status, b""), target
        assert set(head.headers) == set(get.headers)
        for name in set(get.headers) - {"date", "ratelimit", "activity-complete-through"}:
            assert head.headers[name] == get.headers[name], target
        assert int(get.headers["content-length"]) == len(get.rest) > 0
