"""Where a request went, what it did, and which trace it is part of."""

import pytest

from activity_emit.event.action import action_of
from activity_emit.event.resource import resolve
from activity_emit.event.trace import trace_id
from activity_emit.rules import COLLECTIONS
from activity_schemas.event import Action

TRACE, SPAN = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"


def test_ids_come_from_the_route_and_the_resource_is_the_deepest_collection() -> None:
    place = resolve(
        "/v1/orgs/acme/workspaces/w1/apps/a1/endpoints/e1/execute",
        {"org_id": "acme", "workspace_id": "w1", "app_id": "a1", "endpoint_id": "e1"},
        routed=True,
    )
    assert place.ids == {
        "org_id": "acme",
        "workspace_id": "w1",
        "app_id": "a1",
        "endpoint_id": "e1",
    }
    assert (place.resource_type, place.resource_id, place.verb) == ("endpoint", "e1", "execute")


def test_without_a_route_the_known_collection_names_decide() -> None:
    place = resolve("/v1/orgs/acme/workspaces/w1/nothing/here", {}, routed=False)
    assert place.ids == {"org_id": "acme", "workspace_id": "w1"}
    assert (place.resource_type, place.resource_id) == ("workspace", "w1")


def test_a_literal_segment_of_a_route_is_no_id() -> None:
    place = resolve("/v1/orgs/acme/users/me", {"org_id": "acme"}, routed=True)
    assert place.ids == {"org_id": "acme"}
    assert (place.resource_type, place.resource_id, place.verb) == ("user", None, "me")


def test_a_collection_without_an_id_is_the_resource_being_created() -> None:
    place = resolve("/v1/orgs/acme/workspaces", {"org_id": "acme"}, routed=True)
    assert (place.resource_type, place.resource_id, place.verb) == ("workspace", None, None)


def test_parameters_alone_are_enough() -> None:
    place = resolve("/t/acme/w1/do", {"org_id": "acme", "workspace_id": "w1"}, routed=True)
    assert place.ids == {"org_id": "acme", "workspace_id": "w1"}
    assert (place.resource_type, place.resource_id) == ("workspace", "w1")


def test_words_in_the_root_path_are_not_collections() -> None:
    place = resolve("/apps/shop/orgs/acme", {}, routed=False, root_path="/apps/shop")
    assert place.ids == {"org_id": "acme"}


def test_a_service_may_add_collections() -> None:
    collections = {**COLLECTIONS, "invoices": "invoice"}
    place = resolve("/orgs/acme/invoices/7", {}, routed=False, collections=collections)
    assert (place.resource_type, place.resource_id) == ("invoice", "7")


@pytest.mark.parametrize("path", ["", "/", "//", "/orgs", "/orgs/", "///orgs///", "orgs//"])
def test_odd_paths_have_no_ids(path: str) -> None:
    assert resolve(path, {}, routed=False).ids == {}


@pytest.mark.parametrize(
    ("method", "verb", "action"),
    [
        ("GET", None, Action.READ),
        ("HEAD", None, Action.READ),
        ("POST", None, Action.CREATE),
        ("PUT", None, Action.UPDATE),
        ("PATCH", None, Action.UPDATE),
        ("DELETE", None, Action.DELETE),
        ("POST", "execute", Action.EXECUTE),
        ("POST", "trigger", Action.TRIGGER),
        ("GET", "execute", Action.READ),
        ("POST", "publish", Action.CREATE),
        ("QUERY", None, Action.READ),
    ],
)
def test_action(method: str, verb: str | None, action: Action) -> None:
    assert action_of(method, verb) is action


@pytest.mark.parametrize(
    ("traceparents", "expected"),
    [
        ([b"00-" + TRACE + b"-" + SPAN + b"-01"], TRACE.decode()),
        ([b" 00-" + TRACE + b"-" + SPAN + b"-00 "], TRACE.decode()),
        ([b"cc-" + TRACE + b"-" + SPAN + b"-01-what-the-future-brings"], TRACE.decode()),
        ([], None),
        ([b"00-" + TRACE + b"-" + SPAN + b"-01"] * 2, None),
        ([b"00-" + TRACE + b"-" + SPAN + b"-01-more"], None),
        ([b"cc-" + TRACE + b"-" + SPAN + b"-01.more"], None),
        ([b"ff-" + TRACE + b"-" + SPAN + b"-01"], None),
        ([b"00-" + b"0" * 32 + b"-" + SPAN + b"-01"], None),
        ([b"00-" + TRACE + b"-" + b"0" * 16 + b"-01"], None),
        ([b"00-" + TRACE.upper() + b"-" + SPAN + b"-01"], None),
        ([b"00-" + TRACE + b"-" + SPAN], None),
        ([b"\xff\xfe"], None),
    ],
)
def test_traceparent(traceparents: list[bytes], expected: str | None) -> None:
    assert trace_id(traceparents) == expected
