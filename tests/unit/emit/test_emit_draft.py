"""What goes to the forwarder arrives as it was, also where a framework hands objects over."""

import enum
import json
from collections import deque
from uuid import UUID

from activity_emit.event.draft import Draft, RequestDraft, pack, unpack_all
from activity_emit.metrics import PublisherMetrics
from tests.unit.emit.harness import built

ID = UUID("01a20f72-6044-7176-8eca-7a9d2c90ecdd")


class Role(enum.Enum):
    ADMIN = "admin"


def seen(**changes: object) -> Draft:
    return tuple(
        RequestDraft(
            timestamp_us=1,
            method="GET",
            path=f"/orgs/o1/apps/{ID}",
            root_path="",
            path_params={"org_id": "o1", "app_id": "a1"},
            traceparents=[],
            query_string=b"",
            status_code=200,
            error_code=None,
            duration_ms=1.5,
            noted={},
            principal=None,
            added={},
        )._replace(**changes)  # type: ignore[arg-type]
    )


def test_drafts_come_out_as_they_went_in() -> None:
    drafts: list[Draft] = [seen(), {"org_id": "o1", "duration_ms": 1.0}, (b"o1", b"{}")]
    assert unpack_all(pack(drafts)) == drafts


def test_ids_that_are_objects_go_as_text_and_so_do_the_others_beside_them() -> None:
    one = seen(path_params={"org_id": "o1", "app_id": ID}, principal=(ID, Role.ADMIN, None))
    found = [RequestDraft(*draft) for draft in unpack_all(pack([seen(), one]))]
    assert found[0] == RequestDraft(*seen())
    assert found[1].path_params == {"org_id": "o1", "app_id": str(ID)}
    assert found[1].principal == (str(ID), "admin", None)


def test_a_short_draft_is_one_with_the_defaults() -> None:
    short = (1, "GET", "/", "", {"org_id": "o1", "app_id": ID}, 200, 1.5)
    [found] = unpack_all(pack([short]))
    assert RequestDraft(*found) == RequestDraft(*short)._replace(
        path_params={"org_id": "o1", "app_id": str(ID)}
    )


def test_a_draft_that_no_frame_can_hold_is_a_counted_gap_and_its_neighbours_go_through() -> None:
    drafts = unpack_all(pack([seen(), seen(method=object()), seen()]))
    counts = PublisherMetrics()
    messages = built(deque(drafts), counts=counts)
    assert [json.loads(message.value)["seq"] for message in messages] == [0, 2]
    assert counts.failed == 1
