"""No parameter is ignored, none is guessed, and an empty one is none: on all 15 endpoints."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from activity_api.endpoints.route import read_query
from activity_api.openapi.document import document
from tests.support.query import api, bearer, settings

NOWHERE = "http://127.0.0.1:9"
OPERATIONS = {path: item["get"] for path, item in document()["paths"].items()}
ALL = {
    parameter["name"]
    for operation in OPERATIONS.values()
    for parameter in operation["parameters"]
    if parameter["in"] == "query"
}
ONE = {"limit": "5", "hours": "5", "action": "read", "status": "error", "start_time": "2026-01-01"}
ONE |= {"end_time": "2026-01-02", "min_duration_ms": "1", "max_duration_ms": "2"}


def own(path: str) -> set[str]:
    """The query parameters of a route."""
    return {p["name"] for p in OPERATIONS[path]["parameters"] if p["in"] == "query"}


def target(path: str) -> str:
    ids = {p["name"]: "x" for p in OPERATIONS[path]["parameters"] if p["in"] == "path"}
    return path.format(**ids | {"org_id": "o"} | ({"action": "read"} if "action" in ids else {}))


Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture(scope="module")
async def ask() -> AsyncIterator[Ask]:
    """Status and `detail`; 503 is what a right request meets here, where no engine is."""
    async with api(settings(NOWHERE)) as client:

        async def asked(target: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
            headers = bearer("o") if headers is None else headers
            response = await client.get(target, headers=headers)
            return response.status_code, response.json().get("detail")

        yield asked


@pytest.mark.parametrize("path", OPERATIONS)
async def test_what_a_route_does_not_know_is_named(ask: Ask, path: str) -> None:
    others = [*sorted(ALL - own(path)), "Limit", "user_id[]", "limit ", "", "é", "org_id", "token"]
    for name in others:
        query = "&".join(f"{n}=1" for n in (name, "zzz"))
        status, detail = await ask(f"{target(path)}?{query}")
        assert status == 422
        assert detail == [
            {
                "type": "extra_forbidden",
                "loc": ["query", unknown],
                "msg": "Extra inputs are not permitted",
                "input": "1",
            }
            for unknown in (name, "zzz")
        ]
    assert (await ask(f"{target(path)}?zzz"))[0] == 422


@pytest.mark.parametrize("path", OPERATIONS)
async def test_once_is_enough(ask: Ask, path: str) -> None:
    for name in own(path):
        value = ONE.get(name, "x")
        assert (await ask(f"{target(path)}?{name}={value}"))[0] in (503, 422), name
        status, (detail,) = await ask(f"{target(path)}?{name}={value}&{name}={value}")
        assert (status, detail["loc"]) == (422, ["query", name])
        assert (detail["type"], detail["input"]) == ("multiple_values", [value, value])


@pytest.mark.parametrize("path", OPERATIONS)
async def test_an_empty_value_is_none(ask: Ask, path: str) -> None:
    empty = "&".join(f"{name}=&{name}" for name in sorted(own(path)))
    assert (await ask(f"{target(path)}?{empty}&"))[0] == 503
    assert (await ask(f"{target(path)}?&&"))[0] == 503


async def test_who_asks_comes_first(ask: Ask) -> None:
    for path in OPERATIONS:
        assert (await ask(target(path) + "?x=1", headers={}))[0] == 401
        assert (await ask(target(path) + "?x=1", headers=bearer("p")))[0] == 404
    for page in ("/healthz?x=1", "/openapi.json?x=1"):
        assert (await ask(page, {}))[0] == 200


async def test_equal_times_are_an_empty_range(ask: Ask) -> None:
    same = "start_time=2026-01-01&end_time=2026-01-01T00:00Z"
    assert (await ask(f"/v1/orgs/o/activity?{same}"))[0] == 503


def test_what_a_query_says() -> None:
    known = frozenset({"a", "b"})
    assert read_query(b"a=1+2%2B&b=&b=x%26", known) == ({"a": "1 2+", "b": "x&"}, [])
    values, errors = read_query(b"a=%FF&c=1&%C3=2&a=1&c=2&b=1&b=2", known)
    assert values["a"] == "1"
    assert [(e["type"], e["loc"][1], e["input"]) for e in errors] == [
        ("string_unicode", "a", "%FF"),
        ("string_unicode", "\ufffd", "2"),
        ("extra_forbidden", "c", ["1", "2"]),
        ("multiple_values", "b", ["1", "2"]),
    ]
