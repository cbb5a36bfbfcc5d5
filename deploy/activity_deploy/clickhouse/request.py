"""An HTTP request, read as ClickHouse reads it: statement, parameters, settings, session."""

import email
import email.policy
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from activity_deploy.clickhouse import compression
from activity_deploy.clickhouse.connections import MARK, Key
from activity_deploy.clickhouse.errors import refused
from activity_deploy.clickhouse.run import ExternalTables
from activity_deploy.clickhouse.statement import Statement, parse

_SETTING_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

# Meant for the HTTP server and not for the engine. Of these only enable_http_compression and the
# cancel setting have an effect here: an answer is always complete before its first byte is sent
# (wait_end_of_query, buffer_size), no progress headers are sent, and there are no users to check.
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
    accept_encoding: str
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
    for name in ("compress", "decompress"):
        if fields.get(name, "0") not in ("0", "", "false"):
            text = f"{name}=1 (ClickHouse's own framing) is not served: use Content-Encoding"
            raise refused(48, "NOT_IMPLEMENTED", text)
    params = {name[6:]: value for name, value in fields.items() if name.startswith("param_")}
    settings = {name: value for name, value in fields.items() if _is_setting(name, external)}
    if method == "GET":
        settings.setdefault("readonly", "2")  # as ClickHouse: GET must not change anything
    query_id = fields.get("query_id") or str(uuid.uuid4())
    if not (query_id.isascii() and query_id.isprintable()):  # it goes into a header
        raise refused(36, "BAD_ARGUMENTS", f"Bad query_id: {query_id!r}")
    format_header = headers.get("x-clickhouse-format", "")
    compressing = fields.get("enable_http_compression") in ("1", "true")
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
        cancel_on_close=fields.get("cancel_http_readonly_queries_on_client_close") in ("1", "true"),
        accept_encoding=headers.get("accept-encoding", "") if compressing else "",
        external=external,
    )


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
