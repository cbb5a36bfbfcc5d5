"""An HTTP request, read as ClickHouse reads it: statement, parameters, settings, session."""

import email
import email.policy
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from activity_deploy.clickhouse import compression, framing
from activity_deploy.clickhouse.answer_pipe import BUFFER_BYTES
from activity_deploy.clickhouse.connections import MARK, Key
from activity_deploy.clickhouse.encoding import Encoding
from activity_deploy.clickhouse.errors import refused
from activity_deploy.clickhouse.run import ExternalTables
from activity_deploy.clickhouse.statement import Statement, parse

# Each look costs a query of its own.
_LEAST_PROGRESS_MS = 100
_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Meant for the HTTP server and not for the engine.
_FOR_THE_SERVER = frozenset(
    [
        "query",
        "query_id",
        "database",
        "default_format",
        "session_id",
        "session_timeout",
        "session_check",
        "user",
        "password",
        "quota_key",
        "role",
        "stacktrace",
        "compress",
        "decompress",
        "buffer_size",
        "wait_end_of_query",
        "client_protocol_version",
        "enable_http_compression",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
        "cancel_http_readonly_queries_on_client_close",
        "http_zlib_compression_level",
        "http_make_head_request",
        "close_session",
        "replace_running_query",
        "replace_running_query_max_wait_ms",
        "http_wait_end_of_query",
        "http_response_buffer_size",
        "http_native_compression_disable_checksumming_on_decompress",
    ]
)


@dataclass(frozen=True, slots=True)
class QueryRequest:
    """What one request asks for."""

    statement: Statement
    database: str
    settings: dict[str, str]
    params: dict[str, str]
    default_format: str
    query_id: str
    session_id: str
    #: seconds a session lives after its last request
    session_timeout: float
    session_check: bool
    cancel_on_close: bool
    #: it stops the running query that has its id
    replaces: bool
    #: between two headers of progress; 0: none
    progress_seconds: float
    #: bytes of the answer that are waited for before any is sent; 0: all
    buffer_bytes: int
    encoding: Encoding
    #: files of a multipart form
    external: ExternalTables = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """The state of the connection it needs."""
        return self.database, tuple(sorted(self.settings.items()))


def read(
    method: str, query_string: bytes, headers: dict[str, str], body: Sequence[bytes]
) -> QueryRequest:
    """`body`: its pieces. Raises EngineError where a ClickHouse server would answer with one."""
    fields = _pairs(query_string)
    encoding = headers.get("content-encoding", "")
    if encoding:
        body = (compression.decode(b"".join(body), encoding),)
    if _is_on(fields, "decompress"):
        unchecked = _is_on(fields, "http_native_compression_disable_checksumming_on_decompress")
        body = tuple(framing.decode(body, checksums=not unchecked))
    files: dict[str, bytes] = {}
    content_type = headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        form, files = _multipart(content_type, b"".join(body))
        fields, body = fields | form, ()
    elif content_type.startswith("application/x-www-form-urlencoded") and "query" not in fields:
        # curl -d sends SQL under this type, too; only a real form has a field `query` or `param_`.
        form = _pairs(b"".join(body))
        if any(name == "query" or name.startswith("param_") for name in form):
            fields, body = fields | form, ()
    external = {name: _external(name, data, fields) for name, data in files.items()}
    params = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
    settings = {name: value for name, value in fields.items() if _is_setting(name, external)}
    if method in ("GET", "HEAD"):
        settings.setdefault("readonly", "2")  # as ClickHouse: GET must not change anything
    query_id = fields.get("query_id") or headers.get("x-clickhouse-query-id", "")
    query_id = query_id or str(uuid.uuid4())
    if not (query_id.isascii() and query_id.isprintable()):  # it goes into a header
        raise refused(36, "BAD_ARGUMENTS", f"Bad query_id: {query_id!r}")
    format_header = headers.get("x-clickhouse-format", "")
    return QueryRequest(
        statement=parse(fields.get("query", "").encode("utf-8", "surrogateescape"), body),
        database=fields.get("database") or headers.get("x-clickhouse-database", ""),
        settings=settings,
        params=params,
        default_format=fields.get("default_format") or format_header or "TabSeparated",
        query_id=query_id,
        session_id=fields.get("session_id", ""),
        session_timeout=_seconds(fields.get("session_timeout", "60")),
        session_check=fields.get("session_check") == "1",
        cancel_on_close=_is_on(fields, "cancel_http_readonly_queries_on_client_close", "1"),
        replaces=_is_on(fields, "replace_running_query"),
        progress_seconds=_progress_seconds(fields),
        buffer_bytes=_buffer_bytes(fields),
        encoding=_encoding(fields, headers.get("accept-encoding", "")),
        external=external,
    )


def _is_on(fields: dict[str, str], name: str, default: str = "") -> bool:
    return fields.get(name, default) in ("1", "true")


def _buffer_bytes(fields: dict[str, str]) -> int:
    if any(_is_on(fields, name) for name in ("wait_end_of_query", "http_wait_end_of_query")):
        return 0
    text = fields.get("buffer_size") or fields.get("http_response_buffer_size") or "0"
    return int(_number("buffer_size", text)) or BUFFER_BYTES


def _progress_seconds(fields: dict[str, str]) -> float:
    name = "http_headers_progress_interval_ms"
    interval = max(_LEAST_PROGRESS_MS, _number(name, fields.get(name, "100")))
    return interval / 1000 if _is_on(fields, "send_progress_in_http_headers") else 0.0


def _encoding(fields: dict[str, str], accepted: str) -> Encoding:
    method = 0
    if _is_on(fields, "compress"):
        method = framing.method_of(fields.get("network_compression_method", "LZ4"))
    return Encoding(
        revision=_number("client_protocol_version", fields.get("client_protocol_version", "0")),
        method=method,
        level=_number("level", fields.get("network_zstd_compression_level", "1")),
        http=compression.chosen(accepted) if _is_on(fields, "enable_http_compression") else "",
    )


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise refused(36, "BAD_ARGUMENTS", f"{name} must be a number: {text!r}")
    return int(text)


def _pairs(encoded: bytes) -> dict[str, str]:
    text = encoded.decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))


def _is_setting(name: str, external: ExternalTables) -> bool:
    if name in _FOR_THE_SERVER or name.startswith("param_"):
        return False
    if any(name == f"{table}_{part}" for table in external for part in _EXTERNAL_PARTS):
        return False
    # Names go into a SET statement as they are.
    if not _SETTING_NAME.fullmatch(name) or name == MARK:
        raise refused(115, "UNKNOWN_SETTING", f"Unknown setting {name!r}")
    return True


_EXTERNAL_PARTS = ("structure", "types", "format")


def _external(name: str, data: bytes, fields: dict[str, str]) -> tuple[str, str, bytes]:
    if not _SETTING_NAME.fullmatch(name):
        raise refused(36, "BAD_ARGUMENTS", f"Bad name of an external table: {name!r}")
    structure = fields.get(f"{name}_structure", "")
    if not structure:
        types = fields.get(f"{name}_types", "")
        if not types:
            raise refused(36, "BAD_ARGUMENTS", f"Neither structure nor types of table {name}")
        columns = enumerate(types.split(","), start=1)
        structure = ", ".join(f"_{number} {kind}" for number, kind in columns)
    return structure, fields.get(f"{name}_format", "TabSeparated"), data


def _multipart(content_type: str, body: bytes) -> tuple[dict[str, str], dict[str, bytes]]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1")
    message = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(content, bytes):
            continue
        if part.get_filename() is None:
            fields[name] = content.decode("utf-8", "surrogateescape")
        else:
            files[name] = content
    return fields, files


def _seconds(text: str) -> float:
    if not text.isdecimal():
        raise refused(36, "BAD_ARGUMENTS", f"Invalid session timeout: {text!r}")
    return float(text)
