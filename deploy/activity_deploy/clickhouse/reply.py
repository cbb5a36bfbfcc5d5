"""One HTTP answer, in the order in which its parts are known."""

from collections.abc import Awaitable, Callable, MutableMapping
from secrets import token_hex
from typing import Any

import orjson

from activity_deploy.clickhouse.encoding import Encoding
from activity_deploy.clickhouse.errors import EngineError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Figures = dict[str, str]
Headers = list[tuple[bytes, bytes]]

_BINARY = "application/octet-stream"
_CONTENT_TYPES = {
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "TSV": "text/tab-separated-values; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "CSVWithNamesAndTypes": "text/csv; charset=UTF-8; header=present",
    "JSON": "application/json; charset=UTF-8",
    "JSONCompact": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "JSONCompactEachRow": "application/x-ndjson; charset=UTF-8",
    **dict.fromkeys(("Native", "RowBinary", "RowBinaryWithNames"), _BINARY),
    **dict.fromkeys(("RowBinaryWithNamesAndTypes", "Parquet", "Arrow", "ArrowStream"), _BINARY),
}
TEXT = "text/plain; charset=UTF-8"
# What stands before and behind the text of an error that comes after the answer's first byte.
_MARKER = b"__exception__"


class Reply:
    """To one request. `timezone`: the engine's."""

    def __init__(self, scope: Scope, send: Send, timezone: str) -> None:
        self._send = send
        self._scope = scope
        self._common: Headers = [
            (b"x-clickhouse-server-display-name", b"chdb"),
            (b"x-clickhouse-timezone", timezone.encode()),
        ]
        self.query_id = ""
        self.encoding = Encoding()
        self._tag = token_hex(8).encode()

    async def whole(self, status: int, body: bytes, headers: Headers, encoding: str = "") -> None:
        """All of it at once."""
        length = (b"content-length", str(len(body)).encode())
        await self._start(status, [*headers, length], encoding)
        await self._send({"type": "http.response.body", "body": body})

    async def text(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        """A line or some, which nobody has asked to be compressed."""
        await self.whole(status, text.encode(), [(b"content-type", TEXT.encode()), *headers])

    async def refuse(self, error: EngineError) -> None:
        """An error, before anything else was sent."""
        headers = [
            (b"content-type", TEXT.encode()),
            (b"x-clickhouse-exception-code", str(error.code).encode()),
            (b"x-clickhouse-query-id", self.query_id.encode()),
        ]
        text = error.message.encode("utf-8", "replace") + b"\n"
        body = b"".join(self.encoding.pack(iter((text,))))
        await self.whole(error.status, body, headers, self.encoding.http)

    async def rows(self, body: bytes, answer_format: str, figures: list[Figures]) -> None:
        """An answer that is complete, as it is sent. `figures`: its summary, progress before it."""
        headers = self._of_rows(answer_format, figures)
        await self.whole(200, body, headers, self.encoding.http)

    async def begin(self, answer_format: str, figures: list[Figures]) -> None:
        """The head of an answer whose end is not known."""
        headers = self._of_rows(answer_format, figures)
        headers.append((b"x-clickhouse-exception-tag", self._tag))
        await self._start(200, headers, self.encoding.http)

    async def piece(self, body: bytes) -> None:
        """More of it. Blocks while the client does not read."""
        await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def finish(self) -> None:
        """It is complete."""
        await self._send({"type": "http.response.body", "body": b""})

    def error_block(self, error: EngineError) -> bytes:
        """What a server writes behind the rows that have been sent, if there is an error."""
        text = error.message.encode("utf-8", "replace") + b"\n"
        lines = (b"", _MARKER, self._tag, text + b"%d %s" % (len(text), self._tag), _MARKER, b"")
        return b"\r\n".join(lines)

    def break_off(self) -> None:
        """Close the connection without the end of the answer, so that nobody takes it for whole."""
        self._scope["extensions"]["activity.close"]["call"]()

    def _of_rows(self, answer_format: str, figures: list[Figures]) -> Headers:
        headers = [
            (b"x-clickhouse-query-id", self.query_id.encode()),
            (b"x-clickhouse-summary", orjson.dumps(figures[0])),
            (b"content-type", _CONTENT_TYPES.get(answer_format, TEXT).encode()),
        ]
        headers += [(b"x-clickhouse-progress", orjson.dumps(progress)) for progress in figures[1:]]
        if answer_format:
            headers.append((b"x-clickhouse-format", answer_format.encode()))
        return headers

    async def _start(self, status: int, headers: Headers, encoding: str) -> None:
        headers = [*headers, *self._common]
        if encoding:
            headers.append((b"content-encoding", encoding.encode()))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
