"""The JSON Schema and the consumer accept the same events: 1,000 drawn from the schema itself, and
1,000 that are nearly right. What a schema cannot say is in its description, and is not drawn here.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

import activity_schemas
from activity_consume.validation.validate import InvalidMessage, ValidEvent, validate
from tests.support.any_event import any_event
from tests.support.odd_messages import ODD
from tests.support.records import FAR

Json = dict[str, Any]
SCHEMA: Json = json.loads(
    Path(activity_schemas.__file__)
    .parents[1]
    .joinpath("activity-event.v1.schema.json")
    .read_text(encoding="utf-8")
)
VALID = Draft202012Validator(SCHEMA).is_valid
many = settings(max_examples=300, deadline=None)

text = st.characters(exclude_categories=["Cs"])
finite = st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(text, max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(text), inner, max_size=3),
    max_leaves=5,
)


def drawn(schema: Json) -> st.SearchStrategy[Any]:
    """Values that a part of the schema allows. A keyword that is not known here is an error."""
    keywords = set(schema) - {
        "title",
        "description",
        "examples",
        "default",
        "$schema",
        "$defs",
        "type",
    }
    if schema.get("$ref") == "#/$defs/JsonValue" or not schema:
        return anything
    if "$ref" in schema:
        return drawn(SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]])
    if "anyOf" in schema:
        return st.one_of([drawn(one) for one in schema["anyOf"]])
    if "enum" in schema or "const" in schema:
        values = st.sampled_from(schema.get("enum", [schema.get("const")]))
        return values | values.map(float) if schema["type"] == "integer" else values
    kind = schema["type"]
    strategy, known = _KINDS[kind]
    assert keywords <= known, f"{kind}: {keywords - known}"
    found: st.SearchStrategy[Any] = strategy(schema)
    return found


def _strings(schema: Json) -> st.SearchStrategy[str]:
    if "pattern" in schema:
        found = st.from_regex(re.compile(schema["pattern"], re.ASCII))
        return found.filter(Draft202012Validator(schema).is_valid)
    # Most of them short, some as long as may be.
    least, most = schema.get("minLength", 0), schema["maxLength"]
    return st.text(text, min_size=least, max_size=8) | st.builds(
        lambda one: one * most, st.text(text, min_size=1, max_size=1)
    )


def _integers(schema: Json) -> st.SearchStrategy[int | float]:
    least, most = schema["minimum"], schema["maximum"]
    whole = st.integers(least, most) | st.sampled_from([least, most])
    return whole | whole.map(float) | st.just(-0.0 if least == 0 else least)


def _numbers(schema: Json) -> st.SearchStrategy[int | float]:
    least, most = schema["minimum"], schema["maximum"]
    return st.floats(least, most) | st.integers(int(least), int(most)) | st.just(-0.0)


def _objects(schema: Json) -> st.SearchStrategy[Json]:
    if "properties" not in schema:
        names = drawn({"type": "string", **schema.get("propertyNames", {"maxLength": 20})})
        return st.dictionaries(names, drawn(schema["additionalProperties"]), max_size=3)
    properties = {name: drawn(one) for name, one in schema["properties"].items()}
    required = {name: properties.pop(name) for name in schema["required"]}
    known = st.fixed_dictionaries(required, optional=properties)
    names_unknown = st.text(text).filter(lambda name: name not in schema["properties"])
    unknown = st.dictionaries(names_unknown, anything, max_size=2)
    return st.builds(lambda event, more: {**event, **more}, known, unknown)


_KINDS: dict[str, Any] = {
    "null": (lambda _: st.none(), set()),
    "string": (_strings, {"minLength", "maxLength", "pattern", "not"}),
    "integer": (_integers, {"minimum", "maximum"}),
    "number": (_numbers, {"minimum", "maximum"}),
    "object": (
        _objects,
        {"properties", "required", "propertyNames", "additionalProperties", "maxProperties"},
    ),
}


@many
@given(drawn(SCHEMA), st.sampled_from([(",", ":"), (", ", ": "), ("\n,", "\t:\r")]), st.booleans())
def test_what_the_schema_allows_is_accepted(
    event: Json, separators: tuple[str, str], ascii_only: bool
) -> None:
    assert VALID(event)
    value = json.dumps(event, separators=separators, ensure_ascii=ascii_only).encode()
    verdict = validate(value, FAR)
    assert isinstance(verdict, ValidEvent), verdict


# What may stand where a value is: of another kind, next to a limit, or nearly in the right form.
_NUMBERS = ["-1", "-0", "-0.0", "0.5", "99", "200.0", "2e2", "599.5", "600", "65536", "true"]
_NUMBERS += [str(2**53 - 1), str(2**53), f"{2**53}.0", "1e11", "100000000000.5", "1e300", "1e15"]
_TIMES = ["1795690000", "2026-07-01 12:00:00Z", "2026-07-01T12:00Z", "2026-07-01T12:00:00+0200"]
_TIMES += ["2026-07-01t12:00:00z", "2026-07-01T12:00:00-23:59", "2026-07-01T12:00:00+24:00"]
_TIMES += ["2026-02-29T12:00:00Z", "2100-02-29T12:00:00Z", "2000-02-29T12:00:00Z"]
_TIMES += ["2016-12-31T23:59:60Z", "2026-07-01T24:00:00Z", "2026-07-01T12:00:00Z\n", "2026-07-01"]
_TIMES += ["2000-01-01T00:30:00+01:00", "2199-12-31T23:30:00-01:00", "2026-07-01T12:00:00,5Z"]
_TIMES += [f"2026-07-01T12:00:00.{'1' * digits}Z" for digits in (0, 1, 6, 7, 9, 10)]
_TIMES += ["1999-12-31T23:59:59Z", "2200-01-01T00:00:00Z", "2026-07-01T12:00:00"]
_ID = "01900000-0000-7000-8000-00000000000a"
_IDS = [_ID, _ID.upper(), f"{{{_ID}}}", f"urn:uuid:{_ID}", _ID.replace("-", ""), _ID + "\n"]
_IDS += [_ID.replace("-7", "-4"), _ID.replace("-8", "-c"), _ID[:-1] + "\u0661", ""]
_TEXTS = [*_TIMES, *_IDS, "read", "READ", "x" * 128, "x" * 129, "😀" * 256, "😀" * 257, "x" * 4097]
_OTHERS = ["null", "[]", "{}", "[1]", '{"":1}', '{"a":1.0}', '{"a":1.5}', '{"a":null}']
_OTHERS += ["{" + ",".join(f'"{n}":0' for n in range(most)) + "}" for most in (1000, 1001)]
_VALUES = [*_NUMBERS, *_OTHERS, *map(json.dumps, _TEXTS)]
_NAMES = [*SCHEMA["properties"], "success", "_offset", "Seq", "unknown"]


@many
@given(
    any_event,
    st.dictionaries(st.sampled_from(_NAMES), st.sampled_from(_VALUES), min_size=1, max_size=2),
    st.sets(st.sampled_from(_NAMES), max_size=1),
)
def test_what_is_nearly_right_is_judged_alike(
    event: Any, changes: dict[str, str], absent: set[str]
) -> None:
    texts = {name: json.dumps(value) for name, value in json.loads(event.to_json()).items()}
    pairs = [(n, text) for n, text in (texts | changes).items() if n not in absent]
    agree(("{" + ",".join(f'"{name}":{text}' for name, text in pairs) + "}").encode())


@pytest.mark.parametrize("name", ["id", "timestamp"])
@given(data=st.data())
def test_one_other_character_is_judged_alike(name: str, data: st.DataObject) -> None:
    stored = json.loads(ODD["plain"])
    given_ = stored[name]
    at = data.draw(st.integers(0, len(given_)))
    other = data.draw(st.sampled_from([*"0123456789abfAFgTtZz:-+. {}\n", ""]))
    stored[name] = given_[:at] + other + given_[at + data.draw(st.integers(0, 1)) :]
    agree(json.dumps(stored).encode())


# In the schema's description: it cannot say them.
_NOT_SAID = re.compile(
    r"twice|surrogate|depth|byte order mark|UTF|NaN|Infinity|beyond floats in metadata"
    r"|huge integer|vertical tab"
)


@pytest.mark.parametrize("name", [name for name in ODD if not _NOT_SAID.search(name)])
def test_an_odd_message_is_judged_alike(name: str) -> None:
    agree(ODD[name])


def agree(value: bytes) -> None:
    """Both accept it, or neither."""
    try:
        valid = VALID(json.loads(value))
    except ValueError:  # no JSON
        valid = False
    verdict = validate(value, FAR)
    assert isinstance(verdict, ValidEvent) == valid, verdict
    assert isinstance(verdict, ValidEvent | InvalidMessage)
