"""The two protocols on the consumer's way, as far as their steps can be told from outside."""

import struct
from collections import deque
from io import BytesIO

from aiokafka.protocol.commit import OffsetCommitRequest_v3

from tests.chaos.proxy import Piece

# Steps, in the order in which a batch goes through them.
FETCHED = "fetched"
INSERT_SENT = "insert_sent"
INSERT_APPLIED = "insert_applied"
#: A question to the engine, or whatever else is no insert.
ASKED = "asked"
#: A commit that moves an offset: those that only bring a new member's first lease do not count.
COMMITTING = "committing"
COMMITTED = "committed"
PRODUCED = "produced"
#: A member asks to be in the group's next generation; a new one does so twice (KIP-394).
JOINING = "joining"

_PRODUCE, _FETCH, _OFFSET_COMMIT, _JOIN_GROUP = 0, 1, 8, 11
_MOVING_COMMIT = -1
_LAST_CHUNK = b"\r\n0\r\n\r\n"
# A fetch's answer with records in it; without any it is about 100 bytes.
_FULL_FETCH = 2000


class KafkaWire:
    """Frames of Kafka's protocol: a length, then (in a request) the API's key; answers in order."""

    def __init__(self) -> None:
        self._client = b""
        self._server = b""
        self._asked: deque[int] = deque()

    def from_client(self, data: bytes) -> list[Piece]:
        frames, self._client = _frames(self._client + data)
        return [self._request(frame) for frame in frames]

    def from_server(self, data: bytes) -> list[Piece]:
        frames, self._server = _frames(self._server + data)
        return [self._answer(frame) for frame in frames]

    def _request(self, frame: bytes) -> Piece:
        (key,) = struct.unpack_from(">h", frame, 4)
        moves = key == _OFFSET_COMMIT and _moves(frame)
        self._asked.append(_MOVING_COMMIT if moves else key)
        step = JOINING if key == _JOIN_GROUP else COMMITTING if moves else ""
        return Piece(frame, before=step)

    def _answer(self, frame: bytes) -> Piece:
        key = self._asked.popleft()
        if key == _MOVING_COMMIT:
            return Piece(frame, after=COMMITTED)
        if key == _FETCH and len(frame) > _FULL_FETCH:
            return Piece(frame, after=FETCHED)
        return Piece(frame, before=PRODUCED if key == _PRODUCE else "")


class ClickHouseWire:
    """HTTP/1.1 as clickhouse_connect speaks it: an insert is a chunked body."""

    def __init__(self) -> None:
        self._head = b""
        self._tail = b""
        self._inserting = False
        self._applied = False

    def from_client(self, data: bytes) -> list[Piece]:
        if not self._inserting:
            if data.startswith((b"POST ", b"GET ")):
                self._head = b""  # behind the body of an insert into another table
            self._head += data
            line, end, _ = self._head.partition(b"\r\n")
            self._inserting = bool(end) and b"INSERT" in line and b"events" in line
            if b"\r\n\r\n" in self._head:
                self._head = b""
            if not self._inserting and data.startswith((b"POST ", b"GET ")):
                return [Piece(data, before=ASKED)]
        self._tail = (self._tail + data)[-len(_LAST_CHUNK) :]
        if self._inserting and self._tail == _LAST_CHUNK:
            self._inserting, self._applied = False, True
            return [Piece(data, before=INSERT_SENT)]
        return [Piece(data)]

    def from_server(self, data: bytes) -> list[Piece]:
        if self._applied and data.startswith(b"HTTP/1.1 200"):
            self._applied = False
            return [Piece(data, before=INSERT_APPLIED)]
        return [Piece(data)]


def _moves(frame: bytes) -> bool:
    """Whether a commit is of an offset above zero."""
    (client_id,) = struct.unpack_from(">h", frame, 12)
    body = BytesIO(frame[14 + max(0, client_id) :])
    topics = OffsetCommitRequest_v3.SCHEMA.decode(body)[-1]
    return any(offset > 0 for _, partitions in topics for _, offset, _ in partitions)


def _frames(data: bytes) -> tuple[list[bytes], bytes]:
    frames: list[bytes] = []
    while len(data) >= 4:
        (length,) = struct.unpack_from(">i", data)
        if len(data) < 4 + length:
            break
        frames.append(data[: 4 + length])
        data = data[4 + length :]
    return frames, data
