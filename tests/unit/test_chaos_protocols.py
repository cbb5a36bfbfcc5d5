"""The steps that the chaos harness traps: a trap on the wrong one proves nothing."""

import struct

import pytest
from aiokafka.protocol.commit import OffsetCommitRequest_v3

from tests.chaos.protocols import (
    ASKED,
    COMMITTED,
    COMMITTING,
    INSERT_APPLIED,
    INSERT_SENT,
    ClickHouseWire,
    KafkaWire,
)

INSERT = (
    b"POST /?query=INSERT+INTO+events+FORMAT+JSONEachRow HTTP/1.1\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def commit(offset: int) -> bytes:
    """The frame of a commit with a lease as metadata."""
    request = OffsetCommitRequest_v3("group", 4, "member", -1, [("topic", [(0, offset, "lease")])])
    body: bytes = struct.pack(">hhih", 8, 3, 7, 6) + b"client" + request.encode()
    return struct.pack(">i", len(body)) + body


@pytest.mark.parametrize(("offset", "steps"), [(0, ("", "")), (5, (COMMITTING, COMMITTED))])
def test_a_new_members_first_lease_is_no_commit_to_kill_at(
    offset: int, steps: tuple[str, str]
) -> None:
    """Found by chaos: killed there, nothing was lost without the protection either."""
    wire = KafkaWire()
    frame, answer = commit(offset), struct.pack(">ii", 4, 7)
    assert wire.from_client(frame[:9]) == []
    [asked] = wire.from_client(frame[9:])
    [told] = wire.from_server(answer)
    assert (asked.data, told.data) == (frame, answer)
    assert (asked.before, told.after) == steps


def test_an_insert_is_sent_with_its_last_chunk_and_applied_when_answered() -> None:
    wire = ClickHouseWire()
    pieces = [*wire.from_client(INSERT), *wire.from_client(b"4\r\n{}\n\n")]
    assert [piece.before for piece in pieces] == ["", ""]
    assert [piece.before for piece in wire.from_client(b"\r\n0\r\n\r\n")] == [INSERT_SENT]
    assert [piece.before for piece in wire.from_server(b"HTTP/1.1 200 OK\r\n")] == [INSERT_APPLIED]


def test_a_question_is_one_also_after_an_insert() -> None:
    wire = ClickHouseWire()
    for data in (INSERT, b"\r\n0\r\n\r\n"):
        wire.from_client(data)
    for _ in range(2):
        [head] = wire.from_client(b"POST /?database=d HTTP/1.1\r\ncontent-length: 8\r\n\r\n")
        [body] = wire.from_client(b"SELECT 1")
        assert (head.before, body.before) == (ASKED, "")


def test_an_insert_is_known_also_behind_one_into_another_table() -> None:
    wire = ClickHouseWire()
    other = INSERT.replace(b"events", b"settled_offsets")
    for data in (other, b"\x03\r\n\x05"):  # binary, as clickhouse_connect sends it
        wire.from_client(data)
    for data in (INSERT, b"4\r\n{}\n\n"):
        wire.from_client(data)
    assert [piece.before for piece in wire.from_client(b"\r\n0\r\n\r\n")] == [INSERT_SENT]
