"""What equal requests have in common is described once; nothing else of them may be shared."""

import json
from collections import deque
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_emit.event.draft import SHORT, Draft, RequestDraft
from activity_emit.event.encoder import Hook
from activity_emit.metrics import PublisherMetrics
from activity_schemas.event import ActivityEvent
from tests.unit.emit.harness import built

_TRACEPARENT = b"00-0123456789abcdef0123456789abcdef-0123456789abcdef-01"
_PRINCIPALS = (
    None,
    ("u1", "user", "u1", None, None, "acme"),
    ("u2", "service", "s1", "t1", "api_key", None),
)
_AT = 1_700_000_000_000_000
_WORDS = st.sampled_from(["acme", "evil", "7"])

snapshots = st.builds(
    RequestDraft,
    timestamp_us=st.integers(1_700_000_000_000_000, 1_700_000_000_000_002),
    method=st.sampled_from(["GET", "POST", "OPTIONS"]),
    path=st.builds(
        "/v1/orgs/{}/apps/{}".format,
        _WORDS,
        st.sampled_from(["a1", "a2", 'q"\u00fc', "sk-0123456789abcdef0123"]),
    ),
    root_path=st.sampled_from(["", "/v1"]),
    path_params=st.dictionaries(st.sampled_from(["org_id", "app_id"]), _WORDS),
    traceparents=st.sampled_from([[], [_TRACEPARENT], [b"nonsense"]]),
    query_string=st.just(b""),
    status_code=st.sampled_from([200, 404, 500]),
    error_code=st.sampled_from([None, "E1"]),
    duration_ms=st.sampled_from([0.0, 0.0004, 1.23456, 1e-9, 12345.6789]),
    noted=st.sampled_from([{}, {"response_bytes": 3}]),
    principal=st.sampled_from(_PRINCIPALS),
    added=st.sampled_from([{}, {"execution_id": "x1"}]),
)


def events(
    drafts: Sequence[Draft], hook: Hook | None
) -> tuple[list[dict[str, Any]], PublisherMetrics]:
    counts = PublisherMetrics()
    messages = built(deque(drafts), producer_id='p"1', hook=hook, counts=counts)
    for message in messages:
        event = ActivityEvent.model_validate_json(message.value)
        assert message.key == event.org_id.encode()
    return [json.loads(message.value) for message in messages], counts


def handed_over(seen: RequestDraft) -> Draft:
    """As the middleware has it: most say no more than their first fields."""
    short: tuple[Any, ...] = tuple(seen)[:SHORT]
    return short if RequestDraft(*short) == seen else tuple(seen)


@given(st.lists(snapshots, max_size=12))
def test_events_are_what_they_are_when_each_is_described_alone(seen: list[RequestDraft]) -> None:
    drafts = [handed_over(one) for one in seen]
    found, counts = events(drafts, None)
    alone, counts_alone = events(drafts, lambda facts: facts)  # a hook: nothing is remembered
    for event in (*found, *alone):
        event.pop("id")
    assert found == alone
    assert counts == counts_alone


@pytest.mark.parametrize("odd", [7, True, 7.0, UUID(int=7), [7], HTTPStatus.OK])
def test_a_value_that_is_no_text_is_none_either_where_its_text_is_known(odd: Any) -> None:
    drafts = [
        (_AT, "GET", "/orgs/acme/apps/7", "", {"org_id": "acme", "app_id": value}, 200, 1.0)
        for value in (str(odd), odd, str(odd), odd)
    ]
    found, counts = events(drafts, None)
    alone, _ = events(drafts, lambda facts: facts)
    assert [event.get("app_id") for event in found] == [event.get("app_id") for event in alone]
    assert (counts.failed, len({event["id"] for event in found})) == (0, 4)


def test_ids_and_numbers_are_each_events_own() -> None:
    path = "/v1/orgs/acme/apps/a1"
    draft: Draft = (1_700_000_000_000_000, "GET", path, "", {}, 200, 1.5)
    found, _ = events([draft] * 3, None)
    assert len({event["id"] for event in found}) == 3
    assert [event["seq"] for event in found] == [0, 1, 2]


@pytest.mark.parametrize(("given", "sent"), [("inf", 1e11), ("nan", 0), ("-inf", 0)])
def test_a_duration_that_is_no_number_costs_no_event(given: str, sent: float) -> None:
    facts = {
        "timestamp_us": 1_790_000_000_000_000,
        "org_id": "acme",
        "path": "/",
        "status_code": 200,
    }
    found, counts = events([{**facts, "duration_ms": float(given), "action": "read"}], None)
    assert ([event["duration_ms"] for event in found], counts.failed) == ([sent], 0)
