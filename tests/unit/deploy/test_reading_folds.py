"""Who reads, folded: which reads are one event, and how many there may be. Time is passed in."""

from typing import Any

import pytest

from activity_deploy.reading.folds import Folds
from activity_deploy.reading.read import principal_of, read_of
from activity_emit.event.draft import RequestDraft

ANN = ("ann", "user", "ann", None, None, "acme")
KEY = (None, "api_key", "ak1", "ak1", "api_key", "acme")
W1 = {"org_id": "acme", "workspace_id": "w1"}


def draft(  # noqa: PLR0917
    path: str = "/v1/orgs/acme/workspaces/w1/activity",
    params: dict[str, Any] = W1,
    who: tuple[Any, ...] | None = ANN,
    status: int = 200,
    query: bytes = b"",
    at: int = 1_700_000_000_000_000,
) -> tuple[Any, ...]:
    seen = RequestDraft(at, "GET", path, "", params, status, 1.5, None, {}, who, {}, (), query)
    return tuple(seen)


def add(folds: Folds, one: tuple[Any, ...], now: float = 0.0) -> RequestDraft | None:
    read = read_of(one)
    assert read is not None
    early = folds.add(read, now)
    return None if early is None else RequestDraft(*early)


def all_of(folds: Folds) -> list[RequestDraft]:
    return [RequestDraft(*event) for event in folds.take_all()]


def test_polling_is_one_event_a_window() -> None:
    folds, events = Folds(60), []
    for second in range(600):  # the time range moves on with each poll, the selection stays
        events += [RequestDraft(*event) for event in folds.take_due(second)]
        query = f"start_time=2026-01-01T00:{second // 60:02}:{second % 60:02}Z&limit=50".encode()
        add(folds, draft(query=query, at=second * 1_000_000), second)
    events += all_of(folds)
    assert [event.noted["reads"] for event in events] == [60] * 10
    assert [event.timestamp_us for event in events] == [n * 60_000_000 for n in range(10)]
    assert events[0].noted["last_read"] == "1970-01-01T00:00:59.000Z"


@pytest.mark.parametrize(
    "other",
    [
        draft(who=KEY),
        draft(status=503),
        draft("/v1/orgs/acme/workspaces/w2/activity", {"org_id": "acme", "workspace_id": "w2"}),
        draft("/v1/orgs/acme/workspaces/w1/activity/summary"),
        draft(query=b"user_id=bob"),
    ],
)
def test_another_caller_selection_or_outcome_is_another_event(other: tuple[Any, ...]) -> None:
    folds = Folds(60)
    for one in (draft(), other, draft(), other):
        add(folds, one)
    assert [event.noted["reads"] for event in all_of(folds)] == [2, 2]


def test_only_what_is_read_is_told() -> None:
    folds = Folds(60)
    add(folds, draft(query=b"limit=5&user_id=bob&cursor=abc&start_time=2026-01-01"))
    (event,) = all_of(folds)
    assert event.query_string == b"user_id=bob"
    assert event.added["resource_type"] == "activity"
    assert event.added["resource_id"] == "workspaces/w1"
    # The ids of what was read are not the event's: asking for a workspace must not make it exist.
    for name in ("workspace_id", "app_id", "endpoint_id", "augmentation_id"):
        assert event.added[name] is None


@pytest.mark.parametrize(
    ("path", "params", "whose"),
    [
        ("/v1/orgs/acme/activity", {}, "orgs/acme"),
        ("/v1/orgs/acme/me/activity/summary", {}, "me"),
        ("/v1/orgs/acme/users/a%2Fb/activity", {"user_id": "a/b"}, "users/a/b"),
        (
            "/v1/orgs/acme/workspaces/w/apps/a/endpoints/e/activity",
            {"workspace_id": "w", "app_id": "a", "endpoint_id": "e"},
            "workspaces/w/apps/a/endpoints/e",
        ),
        (
            "/v1/orgs/acme/workspaces/w/activity/actions/read",
            {"workspace_id": "w", "action": "read"},
            "workspaces/w/actions/read",
        ),
    ],
)
def test_whose_activity_it_was(path: str, params: dict[str, str], whose: str) -> None:
    folds = Folds(60)
    add(folds, draft(path, {"org_id": "acme", **params}))
    (event,) = all_of(folds)
    assert event.added["resource_id"] == whose


def test_many_different_reads_of_one_caller_are_a_bounded_number_of_events() -> None:
    folds = Folds(60, per_group=3)
    for number in range(1000):
        add(folds, draft(query=f"min_duration_ms={number}".encode()))
    add(folds, draft(who=KEY))
    events = all_of(folds)
    assert [event.noted["reads"] for event in events] == [1, 1, 1, 997, 1]
    assert events[3].noted["selections"] == "further"
    assert events[3].query_string == b""
    assert events[3].added["resource_id"] is None
    add(folds, draft())  # the next window begins anew
    assert all_of(folds)[0].added["resource_id"] == "workspaces/w1"


def test_strangers_write_one_line_an_org_and_no_word_of_theirs() -> None:
    folds = Folds(60, per_group=3)
    for number in range(100):
        path = f"/v1/orgs/acme/workspaces/word-{number}/activity"
        params = {"org_id": "acme", "workspace_id": f"word-{number}"}
        add(folds, draft(path, params, None, 401))
    for number in range(100):
        add(folds, draft(f"/v1/orgs/o{number}/activity", {"org_id": f"o{number}"}, None, 401))
    events = all_of(folds)
    assert [event.noted["reads"] for event in events] == [100, 1, 1]
    assert folds.dropped == 98
    assert events[0].path == "/v1/orgs/{org_id}/workspaces/{workspace_id}/activity"
    assert events[0].added["resource_id"] is None


def test_guesses_at_other_orgs_are_one_event_without_their_ids() -> None:
    folds = Folds(60)
    for number in range(100):
        params = {"org_id": f"o{number}", "workspace_id": "a b"}
        add(folds, draft(f"/v1/orgs/o{number}/workspaces/a%20b/activity", params, ANN, 404))
    (event,) = all_of(folds)
    assert event.noted["reads"] == 100
    assert event.added["resource_id"] is None


def test_memory_is_bounded() -> None:
    folds = Folds(60, per_group=1, most=10)
    drafts = [draft(who=(*ANN[:5], f"o{n}"), params={"org_id": f"o{n}"}) for n in range(15)]
    early = [add(folds, one) for one in drafts]
    assert [event is None for event in early] == [True] * 10 + [False] * 5
    assert len(all_of(folds)) == 10
    assert folds.next_due is None


def test_what_is_no_read_is_none() -> None:
    assert read_of((0, "GET", "/healthz", "", {}, 200, 1.0)) is None
    assert read_of((0, "POST", "/v1/orgs/acme/activity", "", {"org_id": "acme"}, 405, 1.0)) is None
    assert principal_of({}) is None
