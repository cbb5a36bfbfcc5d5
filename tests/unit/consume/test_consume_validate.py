"""validate() says what the event's model says, only faster."""

import json
import random
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.validation.validate import (
    Duration,
    FastEvent,
    InvalidMessage,
    Reason,
    ValidEvent,
    validate,
)
from activity_emit.event.encode import EncodedEvent, encode_head, encode_tail, to_record
from activity_schemas.event import ActivityEvent
from tests.support.any_event import any_event
from tests.support.odd_messages import NOW, ODD, odd

LATEST = NOW + timedelta(days=1)
FAR = datetime.max.replace(tzinfo=NOW.tzinfo)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_message_is_judged_as_by_the_model(name: str) -> None:
    agree(ODD[name])


@given(any_event)
def test_any_event_is_accepted_as_it_is(event: ActivityEvent) -> None:
    """Deep metadata are written anew, in front: the same members in another order."""
    value = event.to_json()
    verdict = validate(value, FAR)
    assert isinstance(verdict, ValidEvent)
    assert json.loads(verdict.value) == json.loads(value)
    assert len(verdict.value) == len(value)
    assert verdict.id == str(event.id)
    agree(value)


def test_our_own_producers_take_the_good_path() -> None:
    """Their bytes go in as they are; the slow path would cost five times as much."""
    facts = {
        **{"org_id": "acme", "user_id": "ü"},
        **{"method": "POST", "path": "/v1/orgs/acme", "action": "execute", "status_code": 201},
        **{"stages_completed": 1, "token_usage": {"input": 1, "total": 3}},
        "metadata": {"stages": [{"name": "a"}], "note": "line\nend"},
    }
    head = encode_head(1_767_322_800_000_000, 1.5, None)
    message = to_record(EncodedEvent(head, encode_tail(facts)), "demo-1", 7)
    verdict = validate(message.value, LATEST)
    assert isinstance(verdict, ValidEvent)
    assert verdict.value == message.value


# What could stand where a field's value is: other types, and text from the odd messages.
_TEXTS = [
    *("null", "true", "0", "-1", "1.0", "1e400", "NaN", "[]", "{}", '""', '"x"', r'"\ud800"'),
    *('{"a":1,"a":1}', '{"a":[[]]}', '"2026-02-30T00:00:00Z"', str(2**63), "-0", '"\\n"'),
]
_NAMES = [*ActivityEvent.model_fields, "success", "_offset", "Org_Id", "unknown", "org\\u005fid"]


@given(any_event, st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_TEXTS)), max_size=3))
def test_other_values_are_judged_as_by_the_model(
    event: ActivityEvent, changes: list[tuple[str, str]]
) -> None:
    texts = {name: json.dumps(value) for name, value in json.loads(event.to_json()).items()}
    pairs = [*(texts | dict(changes)).items(), *changes[:1]]  # one of them twice
    agree(("{" + ",".join(f'"{name}":{text}' for name, text in pairs) + "}").encode())


@given(any_event, st.integers(), st.binary(max_size=4), st.integers(0, 4))
def test_other_bytes_are_judged_as_by_the_model(
    event: ActivityEvent, seed: int, inserted: bytes, removed: int
) -> None:
    value = event.to_json()
    at = random.Random(seed).randrange(len(value) + 1)
    agree(value[:at] + inserted + value[at + removed :])


def agree(value: bytes) -> None:
    """validate() accepts what the model accepts, and as the same event."""
    verdict = validate(value, FAR)
    try:
        event = ActivityEvent.model_validate_json(value)
        _names(value)
    except ValueError:  # ValidationError is one
        assert isinstance(verdict, InvalidMessage)
        return
    assert isinstance(verdict, ValidEvent)
    assert verdict.id == str(event.id)
    assert verdict.org_id == event.org_id
    assert datetime.fromisoformat(verdict.timestamp) == event.timestamp
    assert verdict.value[:1] == b"{"
    assert ActivityEvent.model_validate_json(verdict.value).to_json() == event.to_json()
    if verdict.value not in value:  # the slow path writes what our own producers would
        assert json.loads(verdict.value) == json.loads(event.to_json())


def _names(value: bytes) -> None:
    """Raises ValueError for a name that is twice in an object, and for NaN."""

    def unique(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("twice")

    def no_number(text: str) -> None:
        raise ValueError(text)

    json.loads(
        value,
        object_pairs_hook=unique,
        parse_constant=no_number,
        parse_int=bool,
        parse_float=bool,
    )


def test_both_know_the_same_fields_and_limits() -> None:
    """But: the good path wants `schema_version`, and a canonical id and time."""
    model, fast = _limits(ActivityEvent.model_json_schema()), _limits(_fast_schema())
    assert fast.pop("success") == {"type": "boolean"}
    for name in ("id", "timestamp"):
        assert model[name].pop("pattern")
        model[name] = {"type": model[name]["type"]}
    assert fast == model
    required = {*ActivityEvent.model_json_schema()["required"], "schema_version"}
    assert {one.name for one in msgspec.structs.fields(FastEvent) if one.required} == required


def _fast_schema() -> dict[str, Any]:
    """Of FastEvent, but with the types of what it reads in a second place, or not so deep."""
    types = {one.name: one.type for one in msgspec.structs.fields(FastEvent)}
    assert types["metadata"] == msgspec.Raw | msgspec.UnsetType
    assert types["duration_ms"] is msgspec.Raw
    types |= {"duration_ms": Duration, "metadata": dict[str, Any]}
    whole = msgspec.defstruct("FastEvent", [*types.items()])
    return msgspec.json.schema(whole)


def _limits(schema: dict[str, Any]) -> dict[str, Any]:
    definitions = schema["$defs"]
    top = definitions.get("FastEvent", schema)
    return {name: _property(text, definitions) for name, text in top["properties"].items()}


def _property(schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The part of a property's schema that can refuse a value."""
    if "$ref" in schema:
        return _property(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        parts = [_property(one, definitions) for one in schema["anyOf"]]
        [given, null] = sorted(parts, key=lambda part: part.get("type") == "null")
        return {**given, "or": null["type"]}
    kept = {
        name: value
        for name, value in schema.items()
        if name not in ("title", "description", "examples", "default", "format", "propertyNames")
    }
    if "const" in kept:
        kept = {"enum": [kept["const"]]}
    if "enum" in kept:
        return {"enum": sorted(kept["enum"])}
    inner = kept.pop("additionalProperties", None)
    if inner and (inner := _property(inner, definitions)):
        kept |= {"additionalProperties": inner, "names": schema["propertyNames"]}
    return kept


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", Reason.MALFORMED_JSON),
        ("not ended", Reason.MALFORMED_JSON),
        ("byte order mark", Reason.MALFORMED_JSON),
        ("a lone surrogate", Reason.MALFORMED_JSON),
        ("depth 250", Reason.MALFORMED_JSON),
        ("depth 250 in an unknown field", Reason.MALFORMED_JSON),
        ("depth 100,000", Reason.MALFORMED_JSON),
        ("UTF-16", Reason.INVALID_UTF8),
        ("UTF-8 that is none", Reason.INVALID_UTF8),
        ("UTF-8 that is none in an unknown field", Reason.INVALID_UTF8),
        ("a surrogate as UTF-8", Reason.INVALID_UTF8),
        ("an empty object", Reason.INVALID_EVENT),
        ("empty org", Reason.INVALID_EVENT),
        ("bool for an integer", Reason.INVALID_EVENT),
        ("leap second", Reason.INVALID_EVENT),
        ("NaN in metadata", Reason.INVALID_EVENT),
        ("NaN in an unknown field", Reason.MALFORMED_JSON),
        ("beyond floats in metadata", Reason.INVALID_EVENT),
        ("org twice", Reason.INVALID_EVENT),
        ("org twice, once escaped", Reason.INVALID_EVENT),
        ("an id twice", Reason.INVALID_EVENT),
        ("a name twice in token usage", Reason.INVALID_EVENT),
        ("a key twice in metadata", Reason.INVALID_EVENT),
        ("a name twice in an unknown field", Reason.INVALID_EVENT),
        ("id with a line end", Reason.INVALID_EVENT),
        ("the far future", Reason.TIMESTAMP_IN_FUTURE),
        ("schema_version 2", Reason.UNSUPPORTED_SCHEMA_VERSION),
        ("schema_version 0", Reason.UNSUPPORTED_SCHEMA_VERSION),
        ("schema_version as text", Reason.UNSUPPORTED_SCHEMA_VERSION),
        ("schema_version as bool", Reason.UNSUPPORTED_SCHEMA_VERSION),
    ],
)
def test_the_reason(name: str, reason: Reason) -> None:
    verdict = validate(ODD[name], LATEST)
    assert isinstance(verdict, InvalidMessage)
    assert verdict.reason is reason
    assert verdict.detail


def test_no_value() -> None:
    assert validate(None, LATEST) == InvalidMessage(Reason.NULL_VALUE, "the message has no value")


@pytest.mark.parametrize(
    "text", ['{ "a":[1E5, 1.0,-0.0 ,-0]}', '{"a":1.10,"b":1e-400}', '{"a":' + "7" * 300 + "}"]
)
@pytest.mark.parametrize("more", [{}, {"unknown": "1"}, {"seq": "-0"}], ids=["", "unknown", "-0"])
def test_metadata_is_kept_byte_for_byte(text: str, more: dict[str, str]) -> None:
    """Also where the rest has to be written anew."""
    verdict = validate(odd(metadata=text, **more), FAR)
    assert isinstance(verdict, ValidEvent)
    assert f'"metadata":{text}'.encode() in verdict.value


def test_a_newer_version_wins_over_what_else_may_be_new_in_it() -> None:
    verdict = validate(odd(schema_version="2", action='"merge"', org_id="7"), LATEST)
    assert verdict == InvalidMessage(Reason.UNSUPPORTED_SCHEMA_VERSION, "schema_version 2")


def test_what_is_wrong_is_named_in_one_printable_line() -> None:
    usage = '{"a\\n\\u001b[31m":-1}'
    verdict = validate(odd(status_code="99", token_usage=usage), LATEST)
    assert isinstance(verdict, InvalidMessage)
    assert "status_code: Input should be greater than or equal to 100" in verdict.detail
    assert "token_usage.a??[31m: " in verdict.detail
    assert verdict.detail.isprintable()


@pytest.mark.parametrize(
    ("stamp", "accepted"),
    [("2026-07-02T12:00:00Z", True), ("2026-07-02T12:00:00.000001Z", False)],
)
@pytest.mark.parametrize("more", [{}, {"unknown": "1"}], ids=["fast", "slow"])
def test_a_clock_may_be_ahead_up_to_the_limit(
    stamp: str, accepted: bool, more: dict[str, str]
) -> None:
    verdict = validate(odd(timestamp=f'"{stamp}"', **more), LATEST)
    assert isinstance(verdict, ValidEvent) is accepted
    assert accepted or isinstance(verdict, InvalidMessage)


def test_the_odd_messages_reach_their_edge() -> None:
    """They would show little if all were refused at the first byte, or all written anew."""
    accepted = {
        name: verdict.value in ODD[name]
        for name in ODD
        if isinstance(verdict := validate(ODD[name], FAR), ValidEvent)
    }
    assert len(accepted) > len(ODD) / 3
    assert sum(accepted.values()) > 20
    assert sum(not own for own in accepted.values()) > 20
