"""The two protocols on the consumer's way, as far as their steps can be told from outside."""

import struct
from collections import deque

from tests.chaos.proxy import Piece

# Steps, in the order in which a batch goes through them.
FETCHED = "fetched"
INSERT_SENT = "insert_sent"
INSERT_APPLIED = "insert_applied"
COMMITTING = "committing"
COMMITTED = "committed"
PRODUCED = "produced"

_PRODUCE, _FETCH, _OFFSET_COMMIT = 0, 1, 8
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
        self._asked.append(key)
        return Piece(frame, before=COMMITTING if key == _OFFSET_COMMIT else "")

    def _answer(self, frame: bytes) -> Piece:
        key = self._asked.popleft()
        if key == _OFFSET_COMMIT:
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
            self._head += data
            line, end, _ = self._head.partition(b"\r\n")
            self._inserting = bool(end) and b"INSERT" in line and b"events" in line
            if b"\r\n\r\n" in self._head:
                self._head = b""
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


def _frames(data: bytes) -> tuple[list[bytes], bytes]:
    frames: list[bytes] = []
    while len(data) >= 4:
        (length,) = struct.unpack_from(">i", data)
        if len(data) < 4 + length:
            break
        frames.append(data[: 4 + length])
        data = data[4 + length :]
    return frames, data
