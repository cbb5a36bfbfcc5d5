"""One list of fields, the model's: nothing of an event goes out that no cleaner has seen."""

from typing import Any

import pytest
from pydantic import BaseModel, create_model

from activity_emit.event.encode import encode_tail
from activity_emit.event.fields import CLEANERS, GIVEN, clean, cleaners_of
from activity_schemas.event import ActivityEvent, Id, Stage, Word

SECRET = "sk-proj-abcdefghijklmnop1234"
FIELDS = {
    "timestamp_us": 1_790_000_000_000_000,
    "org_id": "o1",
    "action": "read",
    "method": "GET",
    "path": "/orgs/o1",
    "status_code": 200,
    "duration_ms": 1.0,
}


def with_field(kind: Any) -> type[BaseModel]:
    """A copy of the model with one field more."""
    return create_model("Newer", __base__=ActivityEvent, region=(kind, None))


def test_every_field_of_the_model_has_a_cleaner_or_is_given_when_the_record_is_made() -> None:
    assert CLEANERS.keys() | GIVEN == ActivityEvent.model_fields.keys()
    assert not CLEANERS.keys() & GIVEN


@pytest.mark.parametrize("kind", [Word | None, Id | None])
def test_a_new_field_is_cleaned_like_its_kind(kind: Any) -> None:
    cleaners = cleaners_of(with_field(kind))
    for value, cleaned in [("eu", "eu"), (f"x {SECRET}", "x [redacted]"), ("x" * 257, None)]:
        fields = clean({**FIELDS, "region": value}, cleaners)
        assert fields is not None
        assert fields.get("region") == cleaned


def test_a_new_number_is_left_out_where_it_is_out_of_bounds() -> None:
    cleaners = cleaners_of(with_field(Stage | None))
    found = [clean({**FIELDS, "region": n}, cleaners) for n in (7, -1, 65_536, True, SECRET)]
    assert [fields and fields.get("region") for fields in found] == [7, None, None, None, None]


@pytest.mark.parametrize(
    "kind", [str | None, bytes | None, dict[str, str], list[str], Any, Word | int | None]
)
def test_a_new_field_of_a_kind_that_nobody_thought_about_is_refused(kind: Any) -> None:
    with pytest.raises(TypeError, match="no cleaner fits the event's field 'region'"):
        cleaners_of(with_field(kind))


def test_a_name_that_the_model_does_not_have_goes_nowhere() -> None:
    fields = clean({**FIELDS, "region": SECRET})
    assert fields is not None
    assert "region" not in fields
    assert SECRET not in encode_tail(fields).json


def test_an_action_that_is_none_of_the_six_is_cleaned_too() -> None:
    fields = clean({**FIELDS, "action": SECRET})
    assert fields is not None
    assert fields["action"] == "[redacted]"


@pytest.mark.parametrize("name", ["path", "action", "status_code", "duration_ms"])
def test_what_no_event_can_be_without_is_an_error(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        clean({**FIELDS, name: None})
