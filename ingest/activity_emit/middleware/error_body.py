"""The error code in the body of an error response, whoever's form it has."""

import json
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

PEEK = 4096  # bytes of an error body that are looked at
_CODE = re.compile(r"[A-Za-z0-9_.\-]{1,128}")
_ERROR_FIRST = re.compile(rb'\s*\{\s*"error"\s*:\s*"([A-Za-z0-9_.\-]{1,128})"')
_DETAIL_FIRST = re.compile(rb'\s*\{\s*("status_code"\s*:\s*\d+\s*,\s*)?"detail"\s*:')
_TITLE = re.compile(r"[A-Za-z][A-Za-z0-9 _\-']{0,63}")
# Python 3.13 has other names for these; a service's codes must not change with its Python.
_NAMES = {
    413: "REQUEST_ENTITY_TOO_LARGE",
    414: "REQUEST_URI_TOO_LONG",
    416: "REQUESTED_RANGE_NOT_SATISFIABLE",
    422: "UNPROCESSABLE_ENTITY",
}


def is_read(headers: Any) -> bool:
    """Whether the body of a response with these headers (pairs of bytes) may have a code."""
    if not isinstance(headers, (list, tuple)):
        return False  # an iterator: to read it would take it away from the server
    found = False
    for name, value in headers:
        lower = name.lower()
        if lower == b"content-encoding":
            return False
        if lower == b"content-type":
            kind = value.lower()
            found = b"json" in kind or kind.startswith(b"text/plain")
    return found


def status_name(status: int) -> str | None:
    """The status' name in `http.HTTPStatus` of Python 3.11: NOT_FOUND."""
    try:
        return _NAMES.get(status) or HTTPStatus(status).name
    except ValueError:
        return None


def error_code(body: bytes | None, length: int, status: int) -> str | None:
    """What the start of a body of `length` bytes says. In this order: the `error` or `code` of the
    body, or of its `error` or `detail`; of problem details (RFC 9457) the `type`, else the `title`;
    the status' name where the body is a framework's own: `{"detail": ...}`, or the phrase alone."""
    if not body:
        return None
    if length > PEEK:
        match = _ERROR_FIRST.match(body)
        if match is not None:
            return match[1].decode("ascii")
        return status_name(status) if _DETAIL_FIRST.match(body) else None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return status_name(status) if _is_phrase(body, status) else None
    return _said(found, status) if isinstance(found, dict) else None


def _said(found: dict[str, Any], status: int) -> str | None:
    for place in (found, found.get("error"), found.get("detail")):
        for name in ("error", "code"):
            if isinstance(place, Mapping) and (code := _code(place.get(name))):
                return code
    if "error" in found:
        return None
    return _problem(found, status) or (status_name(status) if "detail" in found else None)


def _code(value: Any) -> str | None:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else None


def _problem(found: dict[str, Any], status: int) -> str | None:
    kind, title = found.get("type"), found.get("title")
    if kind == "about:blank":
        return status_name(status)
    if isinstance(kind, str):
        # `https://example.com/problems/out-of-credit?v=1#x`, `urn:problem:out-of-credit`
        last = re.split(r"[/:#]", kind.partition("?")[0].rstrip("/#"))[-1]
        if code := _code(last):
            return code
    if isinstance(title, str) and _TITLE.fullmatch(title):
        return re.sub(r"[^A-Z0-9]+", "_", title.upper()).strip("_")
    return None


def _is_phrase(body: bytes, status: int) -> bool:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        return False
    return body.strip().decode("latin-1").lower() == phrase.lower()
