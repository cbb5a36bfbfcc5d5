"""What the topic's producers and readers may rely on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError as SchemaError
from pydantic import ValidationError

import activity_schemas
from activity_schemas.__main__ import json_schema
from activity_schemas.event import Action, ActivityEvent
from tests.support.any_event import any_event
from tests.support.odd_messages import odd

SAMPLE = Path(__file__).parents[2] / "data" / "event.v1.json"
COMMITTED = Path(activity_schemas.__file__).parents[1] / "activity-event.v1.schema.json"


def test_the_committed_json_schema_is_true() -> None:
    assert json.loads(COMMITTED.read_text(encoding="utf-8")) == json_schema(), "run `make schemas`"


def test_it_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@given(any_event)
def test_any_event_comes_back_as_it_was(event: ActivityEvent) -> None:
    written = event.to_json()
    assert ActivityEvent.model_validate_json(written) == event
    _validator().validate(json.loads(written))
    assert event.key().decode() == event.org_id


def test_an_event_of_version_1_is_read_for_ever() -> None:
    """The file is what version 1 has written. Do not adapt it to the code."""
    event = ActivityEvent.model_validate_json(SAMPLE.read_bytes())
    stored = json.loads(SAMPLE.read_bytes())
    _validator().validate(stored)
    del stored["a_field_of_the_future"]
    assert json.loads(event.to_json()) == stored
    assert event.action is Action.EXECUTE
    assert not event.success


def test_the_smallest_event_of_version_1_is_read_for_ever() -> None:
    """So no new field can be required in this version."""
    needed = ("id", "timestamp", "org_id", "method", "path", "action")
    also = ("status_code", "duration_ms", "producer_id", "seq")
    stored = json.loads(SAMPLE.read_bytes())
    smallest = {name: stored[name] for name in (*needed, *also)}
    _validator().validate(smallest)
    event = ActivityEvent.model_validate_json(json.dumps(smallest))
    assert event.schema_version == 1
    assert (event.user_id, event.token_usage, event.metadata) == (None, {}, {})


def test_an_unknown_field_is_ignored_and_metadata_is_kept() -> None:
    written = odd(colour='"red"', metadata='{"colour":"red","n":null,"f":1.0,"deep":{"a":[]}}')
    event = ActivityEvent.model_validate_json(written)
    assert event.metadata == {"colour": "red", "n": None, "f": 1.0, "deep": {"a": []}}
    assert "colour" not in json.loads(event.to_json())


def test_success_is_the_statuss() -> None:
    event = ActivityEvent.model_validate_json(odd(status_code="500", success="true"))
    assert json.loads(event.to_json())["success"] is False


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999", "-1e309", "9" * 400])
def test_a_number_that_no_double_holds_is_refused(number: str) -> None:
    """It would come back as another one, or as null."""
    with pytest.raises(ValidationError):
        ActivityEvent.model_validate_json(odd(metadata=f'{{"a":[{{"b":{number}}}]}}'))


@pytest.mark.parametrize(
    "wrong",
    [
        {"org_id": '""'},
        {"org_id": json.dumps("x" * 257)},
        {"status_code": "600"},
        {"status_code": '"200"'},
        {"action": '"READ"'},
        {"duration_ms": "-1"},
        {"token_usage": '{"a":-1}'},
        {"metadata": "[]"},
        {"schema_version": "2"},
        {"seq": str(2**63)},
    ],
    ids=str,
)
def test_json_schema_and_model_refuse_the_same(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        ActivityEvent.model_validate_json(odd(**wrong))
    with pytest.raises(SchemaError):
        _validator().validate(json.loads(odd(**wrong)))


def _validator() -> Draft202012Validator:
    return Draft202012Validator(json.loads(COMMITTED.read_text(encoding="utf-8")))
