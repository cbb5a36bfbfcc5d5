"""Which trace a request is part of: OpenTelemetry's current span, else W3C's `traceparent`.

https://www.w3.org/TR/trace-context/#traceparent-header
"""

import json
import re
import sys
from collections.abc import Sequence
from typing import Any

#: In `metadata`: the span that the request is, 16 hex digits.
SPAN_ID = "span_id"

# Lower case only; version ff and all-zero ids are invalid; version 00 ends after the flags, a later
# version may go on after another dash.
_TRACEPARENT = re.compile(
    rb"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace_id>[0-9a-f]{32})"
    rb"-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?P<rest>-.*)?"
)


def trace_id(traceparents: Sequence[bytes]) -> str | None:
    """The trace id (32 hex digits) of the request's one `traceparent`; None if absent or invalid.

    We do not mint one in its place: an id that no trace has would lead nowhere.
    """
    if len(traceparents) != 1:
        return None
    match = _TRACEPARENT.fullmatch(traceparents[0].strip())
    if match is None or (match["version"] == b"00" and match["rest"] is not None):
        return None
    return match["trace_id"].decode("ascii")


def traceparent(value: bytes) -> bytes | None:
    """The header for an event as it is sent (JSON): its trace and span; where only the trace is
    known, the event itself, by its id, stands for the span. None for an event of no trace."""
    try:
        event = json.loads(value)
        trace, metadata = event["trace_id"], event.get("metadata") or {}
        span = metadata.get(SPAN_ID) or event["id"].replace("-", "")[16:]
        header = f"00-{trace}-{span}-01".encode("ascii")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return header if trace_id((header,)) else None


def current_span() -> tuple[bytes, str] | None:
    """The current span of OpenTelemetry as a `traceparent`, and its id; None if there is none.

    Where the service has not imported `opentelemetry`, nothing is imported. Never raises.
    """
    api: Any = sys.modules.get("opentelemetry.context")
    if api is None:
        return None
    try:
        # FastAPI imports it always. To ask `get_current_span` is five calls, for one variable.
        if not api._RUNTIME_CONTEXT._current_context.get():
            return None
    except Exception:  # noqa: BLE001, S110 - another version's, or a context of another kind
        pass
    try:
        api = sys.modules["opentelemetry.trace"]
        span = api.get_current_span()
        if span is api.INVALID_SPAN:
            return None
        # The ASGI instrumentation makes a span of its own for each `send`: the request is above it.
        context = span.get_span_context()
        if "asgi.event.type" in (getattr(span, "attributes", None) or ()):
            context = span.parent or context
        if not context.is_valid:
            return None
        span_id = f"{context.span_id:016x}"
        return f"00-{context.trace_id:032x}-{span_id}-01".encode("ascii"), span_id
    except Exception:  # noqa: BLE001 - somebody's own span
        return None
