"""The OpenAPI document says what the published reference says, word for word."""

import json
from typing import Any

import pytest

from activity_api.openapi.document import document
from tests.contract.reference import STATUSES, Operation, Parameter, operations

OPERATIONS = operations()
DOCUMENT = document()


@pytest.fixture(params=OPERATIONS, ids=lambda operation: operation.title)
def operation(request: pytest.FixtureRequest) -> Operation:
    """Each of the 15."""
    found: Operation = request.param
    return found


@pytest.fixture
def ours(operation: Operation) -> dict[str, Any]:
    """The same, as we document it."""
    item = DOCUMENT["paths"][operation.path]
    assert list(item) == ["get"]
    found: dict[str, Any] = item["get"]
    return found


def test_the_reference_is_read_whole() -> None:
    assert len(OPERATIONS) == 15
    search = next(o for o in OPERATIONS if o.title == "Search Workspace Activity")
    assert [parameter.name for parameter in search.query_parameters] == [
        "action", "resource_type", "user_id", "status", "min_duration_ms", "max_duration_ms",
        "start_time", "end_time", "limit", "cursor",
    ]  # fmt: skip
    hours = [o.query_parameters[0] for o in OPERATIONS if o.title.endswith("Summary")]
    assert [p.description for p in hours] == ["Hours to look back"] * 2 + [None] * 3
    assert all((p.default, p.range) == (24, (1, 168)) for p in hours)


def test_the_same_endpoints_in_the_same_order() -> None:
    assert list(DOCUMENT["paths"]) == [operation.path for operation in OPERATIONS]


def test_title_and_tag(operation: Operation, ours: dict[str, Any]) -> None:
    assert ours["summary"] == operation.title
    assert ours["tags"] == ["Activity"]
    assert "description" not in ours
    assert "security" not in ours


def test_path_parameters(operation: Operation, ours: dict[str, Any]) -> None:
    found = _in(ours, "path")
    assert [p["name"] for p in found] == [p.name for p in operation.path_parameters]
    for mine, theirs in zip(found, operation.path_parameters, strict=True):
        assert theirs.required
        assert mine["required"] is True
        assert mine["schema"] == {"type": "string", "title": theirs.shown}


def test_query_parameters(operation: Operation, ours: dict[str, Any]) -> None:
    found = _in(ours, "query")
    assert [p["name"] for p in found] == [p.name for p in operation.query_parameters]
    for mine, theirs in zip(found, operation.query_parameters, strict=True):
        assert not theirs.required
        assert mine["required"] is False
        assert mine.get("description") == theirs.description
        assert _query_schema(theirs) == mine["schema"]


def test_header_parameters(operation: Operation, ours: dict[str, Any]) -> None:
    (mine,) = _in(ours, "header")
    (theirs,) = operation.header_parameters
    assert (mine["name"], mine["required"]) == (theirs.name, theirs.required)
    types = [part["type"] for part in mine["schema"]["anyOf"]]
    assert "|".join(types) == theirs.shown
    assert "description" not in mine


def test_documented_answers(ours: dict[str, Any]) -> None:
    assert list(ours["responses"]) == sorted((*STATUSES, "429", "503"))
    for answer in ours["responses"].values():
        assert list(answer["content"]) == ["application/json"]


@pytest.mark.parametrize("status", STATUSES)
def test_bodies(operation: Operation, ours: dict[str, Any], status: str) -> None:
    """The body that a reader sees, and the one that the schema alone leads to: the same fields in
    the same order."""
    content = ours["responses"][status]["content"]["application/json"]
    theirs = operation.bodies[status]
    if status != "422":  # FastAPI's own has no example
        assert _ordered(content["example"]) == _ordered(theirs)
    sampled = _sample(content["schema"])
    if "details" in theirs:  # the schema leaves open what stands in there
        sampled["details"] = theirs["details"]
    assert _shape(sampled) == _shape(theirs)


def test_the_limits_have_the_shape_of_the_other_errors(ours: dict[str, Any]) -> None:
    for status in ("429", "503"):
        content = ours["responses"][status]["content"]["application/json"]
        assert list(content["example"]) == [
            "error",
            "message",
            "details",
            "timestamp",
            "status_code",
        ]
        assert content["example"]["status_code"] == int(status)


def _in(ours: dict[str, Any], place: str) -> list[dict[str, Any]]:
    return [parameter for parameter in ours["parameters"] if parameter["in"] == place]


def _query_schema(theirs: Parameter) -> dict[str, Any]:
    title = theirs.name.replace("_", " ").title()
    described = {} if theirs.description is None else {"description": theirs.description}
    if theirs.shown == "|":
        kind = "number" if theirs.name.endswith("_duration_ms") else "string"
        return {"anyOf": [{"type": kind}, {"type": "null"}], "title": title, **described}
    assert theirs.shown == title
    assert theirs.range is not None
    least, most = theirs.range
    numbers = {"type": "integer", "minimum": least, "maximum": most, "default": theirs.default}
    return {**numbers, "title": title, **described}


def _ordered(body: Any) -> str:
    return json.dumps(body, indent=2)


def _shape(body: Any) -> Any:
    """Names in their order and kinds of values, without the values."""
    if isinstance(body, dict):
        return [(name, _shape(value)) for name, value in body.items()]
    if isinstance(body, list):
        return [_shape(value) for value in body]
    return type(body).__name__


def _sample(schema: dict[str, Any]) -> Any:
    """A body as the tool that made the reference samples one."""
    if "$ref" in schema:
        return _sample(DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0])
    kind = schema.get("type", "anything")
    if kind == "array":
        return [_sample(schema["items"])]
    if kind == "object":
        named = schema.get("properties", {})
        if isinstance(others := schema.get("additionalProperties"), dict):
            named = dict.fromkeys(("property1", "property2"), others)
        return {name: _sample(part) for name, part in named.items()}
    return {"string": "string", "integer": 0, "number": 0, "boolean": True, "anything": None}[kind]
