"""The W3C Trace Context header: https://www.w3.org/TR/trace-context/#traceparent-header."""

import re
from collections.abc import Sequence

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
