"""UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then 74 random bits."""

import os
import time
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0b10 << 62


def uuid7(now_ms: int | None = None, random: bytes | None = None) -> UUID:
    """Mint an id whose order is its time of birth, to the millisecond.

    `now_ms`: Unix time in milliseconds; `random`: 10 bytes. Both default to the real thing
    (Python's own `uuid.uuid7` arrives with 3.14).
    """
    if now_ms is None:
        now_ms = time.time_ns() // 1_000_000
    noise = int.from_bytes(random or os.urandom(10), "big")
    rand_a, rand_b = (noise >> 62) & 0xFFF, noise & ((1 << 62) - 1)
    return UUID(int=(now_ms & (1 << 48) - 1) << 80 | _VERSION | rand_a << 64 | _VARIANT | rand_b)


def unix_ms(id_: UUID) -> int:
    """The Unix time in milliseconds at which a UUIDv7 was minted."""
    return id_.int >> 80
