"""An event in the form of the answer, and the engine's answer that brings it."""

import json
import struct
from datetime import UTC, datetime
from uuid import UUID

import pytest

from activity_api.queries.activity_json import activity_json, activity_lines
from activity_api.queries.event_rows import Key
from activity_api.queries.filter import ActivityFilter
from activity_api.queries.page_rows import Rows
from activity_schemas.answers import Activity

EVENT = b'{"status_code":200,"path":"/","method":"GET","action":"read","duration_ms":1.50'


def shown(event: bytes) -> bytes:
    found = activity_json("an id", "a time", event)
    assert found is not None
    assert list(json.loads(found)) == list(Activity.model_fields)
    return found


def test_values_are_handed_on_as_they_are_written() -> None:
    metadata = rb'{"a" : 1e2, "b": "\u00e9\/", "b": 123456789012345678901234567890}'
    found = shown(EVENT + b',"user_id":"\\u0041","metadata": ' + metadata + b"}")
    for text in (b'"duration_ms":1.50', b'"user_id":"\\u0041"', b'"metadata":' + metadata):
        assert text in found


@pytest.mark.parametrize("status", [100, 399, 400, 599])
def test_success_is_the_statuss(status: int) -> None:
    for said in (b"true", b"false"):
        found = json.loads(shown(b'{"status_code":%d,"success":%b}' % (status, said)))
        assert (found["status_code"], found["success"]) == (status, status < 400)


def test_what_is_absent_is_null() -> None:
    found = json.loads(shown(EVENT + b',"user_id":null,"app_id":"","id":"5","unknown":[""]}'))
    absent = {name for name, value in found.items() if value is None}
    assert {"user_id", "app_id", "trace_id", "total_stages"} <= absent
    assert (found["id"], found["path"]) == ("an id", "/")
    assert (found["token_usage"], found["metadata"]) == ({}, {})


@pytest.mark.parametrize(
    "event", [b"{", b"5", b"{}", b'{"status_code":"200"}', EVENT + b',"x":NaN}']
)
def test_what_cannot_be_read_is_asked_for_otherwise(event: bytes) -> None:
    assert activity_json("an id", "a time", event) is None


def in_a_row(event: bytes, number: int = 0) -> bytes:
    return b'{"id":"%d","timestamp":"a time","event":%b}' % (number, event)


def test_many_are_each_as_one_alone() -> None:
    events = [b'{"status_code":%d,"app_id":%b,"id":"x"}' % one for one in ODD]
    lines = activity_lines([in_a_row(event, number) for number, event in enumerate(events)])
    assert lines is not None
    assert lines.splitlines() == [
        activity_json(str(number), "a time", event) for number, event in enumerate(events)
    ]


ODD = [(200, b'"a"'), (400, b'""'), (399, b"null"), (599, b'"\\"\\""'), (100, b'"\\n"')]


def test_a_line_is_a_line() -> None:
    metadata = b'{\n"a":\r\n"b\\n"\r}'
    lines = activity_lines([in_a_row(EVENT + b',"metadata":' + metadata + b"}")] * 2)
    assert lines is not None
    assert (lines.count(b"\n"), lines.count(b"\r")) == (2, 0)
    assert [json.loads(line)["metadata"] for line in lines.splitlines()] == [{"a": "b\n"}] * 2


@pytest.mark.parametrize("event", [b"null", b"{}", b"{]", EVENT + b',"x":NaN}', b"{" * 5000])
def test_one_that_cannot_be_read_among_many(event: bytes) -> None:
    assert activity_lines([in_a_row(EVENT + b"}"), in_a_row(event)]) is None


def row(micros: int, id_: int, event: bytes) -> bytes:
    """Of the engine's answer; an event of less than 128 bytes."""
    return struct.pack("<qQQB", micros, id_ >> 64, id_ & (1 << 64) - 1, len(event)) + event


def test_rows_without_an_event_are_filled_in() -> None:
    """Two of one key each get one; the third was erased between the two statements."""
    head = struct.pack("<Qq", 7, 1_767_322_800_123)
    keys = [(5, 2**100 + 3), (-1, 1), (-1, 1), (-2, 9)]
    events = [b'{"status_code":200}', b"", b"", b""]
    body = b"".join(head + row(*key, event) for key, event in zip(keys, events, strict=True))
    rows = Rows.of_first_page(body)
    assert (rows.total, rows.as_of) == (7, datetime(2026, 1, 2, 3, 0, 0, 123000, tzinfo=UTC))
    assert rows.found.missing == [Key(micros, UUID(int=id_)) for micros, id_ in keys[1:]]
    rows.found.fill(row(-1, 1, b'{"n":1}') + row(-1, 1, b'{"n":2}') + row(-3, 1, b"not asked for"))
    page = json.loads(rows.to_json(4, b"key", ActivityFilter(org_id="o")))
    assert page["activities"][0]["id"] == str(UUID(int=2**100 + 3))
    assert sorted(one["n"] for one in page["activities"][1:]) == [1, 2]
    assert (page["total"], page["has_more"], page["next_cursor"]) == (7, False, None)


def test_no_row_at_all() -> None:
    assert Rows.of_first_page(b"").to_json(5, b"key", ActivityFilter(org_id="o")) == (
        b'{"total":0,"has_more":false,"next_cursor":null,"activities":[]}'
    )
