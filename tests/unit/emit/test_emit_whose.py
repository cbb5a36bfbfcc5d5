"""Whose event a request is, and what the org that it was not may see."""

import json
from collections import deque
from typing import Any

import pytest

from activity_emit import ActivityMiddleware, EmitSettings, Principal
from activity_emit.event.whose import visit_of
from activity_emit.middleware.types import ASGIApp, Receive, Scope, Send
from tests.unit.emit.harness import END, START, Collected, answering, built
from tests.unit.emit.test_emit_redact import seen

ANN = ("ann", "user", "ann", "t-ann", "api_key", "mine")
ROUTE = {"org_id": "victim", "workspace_id": "w9", "thing_id": "th7"}
PATH = "/v1/orgs/victim/workspaces/w9/things/th7"


def event(draft: Any, **settings: Any) -> dict[str, Any] | None:
    records = built(deque([tuple(draft)]), EmitSettings(**settings))
    return json.loads(records[0].value) if records else None


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 405, 429])
@pytest.mark.parametrize("who", [None, ("bob", "user", "bob", None, None, None)])
def test_a_stranger_writes_nothing_into_an_org_without_a_route(status: int, who: Any) -> None:
    draft = seen("/v1/orgs/acme/nothing", status_code=status, principal=who)
    assert event(draft) is None
    assert event(draft, strangers="path") is not None
    assert event(draft, strangers="never") is None


@pytest.mark.parametrize("status", [200, 401, 403, 404, 500])
def test_what_a_route_has_taken_is_the_orgs(status: int) -> None:
    draft = seen("/v1/orgs/acme/apps", status_code=status, path_params={"org_id": "acme"})
    found = event(draft)
    assert found is not None
    assert found["org_id"] == "acme"
    assert event(draft, strangers="never") is None


def test_a_route_that_takes_every_path_says_nothing_of_an_org() -> None:
    path = "orgs/acme/nothing"
    assert event(seen(f"/{path}", path_params={"rest": path})) is None
    assert event(seen(f"/{path}", path_params={"rest": path}, status_code=404)) is None


def test_a_principal_of_the_org_needs_no_route() -> None:
    for strangers in ("route", "never", "path"):
        found = event(seen("/v1/orgs/mine/x", status_code=404, principal=ANN), strangers=strangers)
        assert found is not None
        assert (found["org_id"], found["user_id"]) == ("mine", "ann")


@pytest.mark.parametrize("org", [" ", "  ", "\u00a0", "\u200b", "\t"])
def test_a_blank_is_no_org(org: str) -> None:
    assert event(seen(f"/v1/orgs/{org}/apps", path_params={"org_id": org})) is None
    assert event(seen(f"/v1/orgs/{org}/apps"), strangers="path") is None


def test_a_secret_is_no_org_that_many_share() -> None:
    assert event(seen("/orgs/x", path_params={"org_id": "AKIAIOSFODNN7EXAMPLE"})) is None


@pytest.mark.parametrize("routed", [True, False])
def test_a_caller_of_another_org_takes_none_of_its_ids_home(routed: bool) -> None:
    draft = seen(
        PATH,
        {
            "execution_id": "x-victim",
            "metadata": {"workspace": "w9"},
            "resource_id": "th7",
            "token_usage": {"total": 5},
        },
        principal=ANN,
        path_params=ROUTE if routed else {},
        status_code=403 if routed else 404,
        query_string=b"q=w9",
    )
    found = event(draft, query_allow=frozenset({"q"}))
    assert found is not None
    assert (found["org_id"], found["user_id"]) == ("mine", "ann")
    assert (found["resource_type"], found["metadata"]) == ("workspace", {"other_org": True})
    assert found["token_usage"] == {"total": 5}
    text = json.dumps(found)
    assert [word for word in ("victim", "w9", "th7") if word in text] == []
    if routed:
        assert found["path"] == "/v1/orgs/{org_id}/workspaces/{workspace_id}/things/{thing_id}"


def test_the_handlers_word_beats_the_path_and_the_principal() -> None:
    """An org that is known by a name in the path, and by a number elsewhere."""
    told = {"org_id": "o-17", "workspace_id": "w1", "resource_type": "invoice"}
    found = event(seen("/orgs/acme/apps/a1", told, principal=ANN, path_params={"org_id": "acme"}))
    assert found is not None
    assert (found["org_id"], found["workspace_id"], found["user_id"]) == ("o-17", "w1", "ann")
    assert (found["resource_type"], "resource_id" in found) == ("invoice", False)
    told["resource_id"] = "i1"
    found = event(seen("/anything", told))
    assert found is not None
    assert (found["org_id"], found["resource_id"]) == ("o-17", "i1")


async def test_by_setting_the_other_org_sees_that_somebody_was_there() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_params"] = ROUTE
        scope["state"]["principal"] = Principal(*ANN)
        await answering(START, END)(scope, receive, send)

    for visitors, expected in ((True, ["mine", "victim"]), (False, ["mine"])):
        events = await play(app, EmitSettings(visitors=visitors))
        assert [found["org_id"] for found in events] == expected
        assert [found["seq"] for found in events] == list(range(len(events)))
        if visitors:
            theirs = events[1]
            assert (theirs["principal_type"], theirs["path"]) == ("other_org", PATH)
            assert (theirs["workspace_id"], theirs["resource_id"]) == ("w9", "w9")
            assert theirs["metadata"] == {"other_org": True}
            text = json.dumps(theirs)
            assert [word for word in ("ann", "mine", "api_key") if word in text] == []


def test_only_a_route_lets_a_visitor_in() -> None:
    settings = EmitSettings(visitors=True)
    visit = visit_of(tuple(seen(PATH, principal=ANN, status_code=404)), settings)
    assert visit is None or event(visit) is None
    assert visit_of(tuple(seen("/orgs/mine/x", principal=ANN)), settings) is None
    assert visit_of(tuple(seen(PATH)), settings) is None


async def play(app: ASGIApp, settings: EmitSettings) -> list[dict[str, Any]]:
    publisher = Collected()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        del message

    scope = {"type": "http", "method": "GET", "path": PATH, "headers": [], "state": {}}
    await ActivityMiddleware(app, publisher, settings=settings)(scope, receive, send)
    return [json.loads(record.value) for record in built(deque(publisher.drafts), settings)]
