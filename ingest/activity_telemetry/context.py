"""Which request the program works on: for its log lines."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

request_id: ContextVar[str] = ContextVar("activity_request_id", default="")
trace_id: ContextVar[str] = ContextVar("activity_trace_id", default="")

_TRACEPARENT = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.*")


@contextmanager
def bound(request: str, trace: str) -> Iterator[None]:
    """Every line that is logged inside, also by tasks that begin there, has these ids."""
    of_request, of_trace = request_id.set(request), trace_id.set(trace)
    try:
        yield
    finally:
        request_id.reset(of_request)
        trace_id.reset(of_trace)


def trace_id_of(traceparent: bytes) -> str:
    """The trace of a W3C header, 32 hex digits; '' where it has none."""
    found = _TRACEPARENT.fullmatch(traceparent)
    return found[1].decode() if found else ""
