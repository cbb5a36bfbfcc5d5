"""Whatever a request was, its event is valid and holds no secret."""

import json
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.validation.validate import ValidEvent, validate
from activity_emit.event import redact
from activity_emit.event.draft import RequestDraft
from activity_emit.event.fields import EventFields, plain
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import EmitSettings
from activity_schemas.event import ActivityEvent
from tests.support.records import FAR
from tests.unit.emit import harness as emit_harness

SETTINGS = EmitSettings(rules=(), query_allow=frozenset({"limit"}))
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1MSJ9.c2lnbmF0dXJl"


def built(
    draft: RequestDraft | EventFields, hook: Any = None, counts: PublisherMetrics | None = None
) -> list[bytes]:
    plain_draft = draft if isinstance(draft, dict) else tuple(draft)
    messages = emit_harness.built(deque([plain_draft]), SETTINGS, hook=hook, counts=counts)
    return [message.value for message in messages]


def seen(path: str = "/orgs/o1", added: EventFields | None = None, **changes: Any) -> RequestDraft:
    snapshot = RequestDraft(
        timestamp_us=1_790_000_000_000_000,
        method="GET",
        path=path,
        root_path="",
        path_params={},
        traceparents=[],
        query_string=b"",
        status_code=200,
        error_code=None,
        duration_ms=1.5,
        noted={},
        principal=None,
        added=plain(added or {}),
    )
    return snapshot._replace(**changes)


texts = st.text(max_size=300)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(
    path=st.builds("/orgs/{}/apps/{}".format, texts, texts),
    status=st.integers(100, 599),
    principal=st.none() | st.tuples(*[st.none() | st.text(max_size=300)] * 6),
    seen_too=st.fixed_dictionaries(
        {
            "method": st.text(max_size=200),
            "query_string": st.binary(max_size=200),
            "traceparents": st.lists(st.binary(max_size=60), max_size=2),
            "duration_ms": st.floats(-1, 1e15),
        }
    ),
    added=st.fixed_dictionaries(
        {},
        optional={
            "execution_id": texts,
            "resource_id": texts,
            "resource_type": texts,
            "error_code": texts,
            "action": texts,
            "stages_completed": values,
            "total_stages": st.integers(-5, 70_000),
            "token_usage": st.dictionaries(texts, st.integers(-5, 2**70), max_size=5),
            "metadata": st.dictionaries(texts, values, max_size=5),
        },
    ),
)
def test_any_request_gives_a_valid_event_or_none(
    path: str,
    status: int,
    principal: tuple[str | None, ...] | None,
    seen_too: dict[str, Any],
    added: EventFields,
) -> None:
    counts = PublisherMetrics()
    draft = seen(path, added, status_code=status, principal=principal, **seen_too)
    for value in built(draft, counts=counts):
        assert b"\n" not in value
        event = ActivityEvent.model_validate_json(value)
        assert isinstance(validate(value, FAR), ValidEvent)
        assert event.status_code == status
        assert event.success == (status < 400)
    assert counts.failed == 0


def test_what_is_too_large_is_as_large_as_may_be() -> None:
    """An event that is refused would be lost."""
    usage = {"a": 2**63, "b": 2**53, "c": 2, "d": -1}
    numbers = {"big": 10**30, "beyond": 10**400, "nan": float("nan")}
    added = {"token_usage": usage, "metadata": numbers}
    for milliseconds in (1e12, 1e300, float("inf")):
        draft = seen("/v1/orgs/acme", added, duration_ms=milliseconds)
        [value] = built(draft)
        assert isinstance(validate(value, FAR), ValidEvent)
        event = ActivityEvent.model_validate_json(value)
        assert event.duration_ms == 1e11
        assert event.token_usage == {"a": 2**53 - 1, "b": 2**53 - 1, "c": 2}
        assert event.metadata == {"big": 10**30, "beyond": None, "nan": None}


@pytest.mark.parametrize(
    "secret",
    [
        JWT,
        "sk-proj-abcdefghijklmnop1234",
        "sk_live_abcdefgh12345678",
        "ghp_abcdefghijklmnopqrstuv0123",
        "xoxb-1234567890-abcdef",
        "AKIAIOSFODNN7EXAMPLE",
        "Bearer abc.def.ghi",
        "Basic dXNlcjpwYXNz",
        "password=hunter2",
        "api_key: hunter2",
        "https://user:hunter2@db.example/x",
    ],
)
def test_a_value_that_looks_like_a_secret_is_replaced_wherever_it_stands(secret: str) -> None:
    added = {"execution_id": secret, "metadata": {"note": f"got {secret}", "list": [secret]}}
    (value,) = built(seen(f"/orgs/o1/apps/{secret}", added))
    assert secret.encode() not in value
    assert b"hunter2" not in value
    assert redact.REDACTED.encode() in value


@pytest.mark.parametrize(
    "key",
    [
        "password",
        "user_password",
        "clientSecret",
        "access_token",
        "token",
        "API-Key",
        "Cookie",
        "authorization",
        "x-api-key",
        "passwd",
        "private_key",
        "sessionId",
        "credentials",
    ],
)
def test_a_key_that_names_a_secret_hides_its_value(key: str) -> None:
    (value,) = built(seen(added={"metadata": {"deep": [{key: {"inner": "swordfish"}}]}}))
    assert b"swordfish" not in value


@pytest.mark.parametrize("key", ["token_id", "token_type", "tokens", "token_count", "author"])
def test_a_key_that_only_looks_like_it_does_not(key: str) -> None:
    (value,) = built(seen(added={"metadata": {key: "fine"}}))
    assert json.loads(value)["metadata"] == {key: "fine"}


def test_a_path_parameter_named_like_a_secret_is_hidden_and_no_other_segment() -> None:
    (value,) = built(seen("/orgs/a/reset/a/abc", path_params={"org_id": "a", "reset_token": "abc"}))
    assert json.loads(value)["path"] == "/orgs/a/reset/a/[redacted]"


def test_query_values_only_from_the_allow_list() -> None:
    (value,) = built(seen(query_string=b"limit=5&q=swordfish&limit=7"))
    assert json.loads(value)["metadata"] == {"query": {"limit": "7"}}


def test_an_id_that_is_too_long_is_absent_and_not_cut() -> None:
    (value,) = built(seen(added={"execution_id": "x" * 257, "resource_id": "r" * 256}))
    event = json.loads(value)
    assert "execution_id" not in event
    assert event["resource_id"] == "r" * 256


def test_without_an_org_nothing_is_recorded() -> None:
    counts = PublisherMetrics()
    assert built(seen("/apps/a1"), counts=counts) == []
    assert counts.ignored == 1


def test_metadata_too_large_is_replaced_as_a_whole() -> None:
    (value,) = built(seen(added={"metadata": {f"k{i}": "v" * 1000 for i in range(50)}}))
    assert json.loads(value)["metadata"] == {"truncated": True}


def test_objects_are_named_by_type_and_never_shown() -> None:
    class Card:
        def __repr__(self) -> str:
            return "swordfish"

    (value,) = built(seen(added={"metadata": {"card": Card()}}))
    assert json.loads(value)["metadata"] == {"card": "<Card>"}


def test_the_hook_has_the_last_word_and_cannot_make_an_event_invalid() -> None:
    def hook(facts: EventFields) -> EventFields:
        return {**facts, "path": "/hidden\x00", "user_id": "u" * 999}

    (value,) = built(seen(principal=("u1", None, None, None, None, None)), hook)
    event = ActivityEvent.model_validate_json(value)
    assert (event.path, event.user_id) == ("/hidden", None)


def test_a_hook_that_raises_drops_the_event_and_its_text_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def hook(facts: EventFields) -> EventFields:
        raise ValueError("swordfish")

    counts = PublisherMetrics()
    assert built(seen(), hook, counts) == []
    assert counts.failed == 1
    assert "ValueError" in caplog.text
    assert "swordfish" not in caplog.text


def test_a_caller_of_another_org_leaves_no_trace_in_the_org_it_knocked_at() -> None:
    (value,) = built(
        seen("/orgs/victim/workspaces/w9", principal=("u1", "user", "u1", None, None, "mine"))
    )
    event = json.loads(value)
    assert event["org_id"] == "mine"
    assert "workspace_id" not in event


def test_the_user_is_who_acted_and_not_who_was_looked_at() -> None:
    looked_at = seen("/orgs/o1/users/u2", principal=("u1", None, None, None, None, None))
    event = json.loads(built(looked_at)[0])
    assert (event["user_id"], event["resource_type"], event["resource_id"]) == ("u1", "user", "u2")
    nobody = json.loads(built(looked_at._replace(principal=None))[0])
    assert "user_id" not in nobody
