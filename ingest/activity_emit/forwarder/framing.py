"""Frames between a service and its forwarder: 4 bytes length, then `marshal`.

Both ends can trust it: they are the same interpreter and the same code.
"""

import marshal
import struct
from typing import Any

from activity_emit.event.draft import Draft, pack, unpack_all

LENGTH = struct.Struct("!I")


def frame(value: Any) -> bytes:
    """One frame. Raises ValueError for objects other than plain values."""
    body = marshal.dumps(value)
    return LENGTH.pack(len(body)) + body


def frame_of(dropped: int, drafts: list[Draft]) -> bytes:
    """Drafts, and how many were dropped before the last of them."""
    return frame((dropped, pack(drafts)))


def drafts_of(data: bytes) -> list[Draft]:
    """What `frame_of` was given; for nothing, nothing."""
    if not data:
        return []
    _, packed = marshal.loads(data[LENGTH.size :])  # noqa: S302 - our own
    return unpack_all(packed)
