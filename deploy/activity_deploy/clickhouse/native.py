"""The heads that Native blocks have for a `client_protocol_version`.

The engine in this process writes them for version 0. A client that names a version expects a
BlockInfo before each block and, since 54454, a byte in each column's head. So the columns' ends
must be found, and for that all that stands before them be read.
"""

from collections.abc import Iterable, Iterator

from activity_deploy.clickhouse.native_types import opening
from activity_deploy.clickhouse.passing import Passing

# ClickHouse's src/Core/ProtocolDefines.h
_WITH_CUSTOM_SERIALIZATION = 54454
_WITH_OUT_OF_ORDER_BUCKETS = 54480

# Field 1: is_overflows, field 2: bucket_num = -1.
_BLOCK_INFO = b"\x01\x00\x02\xff\xff\xff\xff"
# Field 3: no out_of_order_buckets.
_BUCKETS = b"\x03\x00"
_NOT_CUSTOM = b"\x00"

_GOOD_SIZE = 1 << 18


def with_heads(
    pieces: Iterable[bytes], revision: int, zones: dict[str, str] | None = None
) -> Iterator[bytes]:
    """Native data of version 0 as it would be for `revision`, which is over 0.

    `zones`: columns of type DateTime('Zone'), of which version 0 does not tell the zone. Data that
    is cut off in a block stays so. Raises EngineError (48) for a type whose length is not known.
    """
    passing = Passing(iter(pieces))
    info = _BLOCK_INFO + (_BUCKETS if revision >= _WITH_OUT_OF_ORDER_BUCKETS else b"") + b"\x00"
    is_marked = revision >= _WITH_CUSTOM_SERIALIZATION
    while not passing.at_end:
        passing.insert(info)
        try:
            _pass_block(passing, is_marked, zones or {})
        except EOFError:
            yield b"".join(passing.drain())
            yield from passing.rest()
            return
        if sum(map(len, passing.out)) >= _GOOD_SIZE:
            yield b"".join(passing.drain())
    if rest := b"".join(passing.drain()):
        yield rest


def _pass_block(passing: Passing, is_marked: bool, zones: dict[str, str]) -> None:
    columns, rows = passing.varint(), passing.varint()
    for _ in range(columns):
        passing.string()  # its name
        kind = passing.string()
        if is_marked:
            passing.insert(_NOT_CUSTOM)
        if rows:
            opening(kind.decode())(passing)(passing, rows)
