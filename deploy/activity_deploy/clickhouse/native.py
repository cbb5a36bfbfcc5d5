"""The heads that Native blocks have for a `client_protocol_version`.

The engine in this process writes them for version 0. A client that names a version expects a
BlockInfo before each block and, since 54454, a byte in each column's head. So the columns' ends
must be found, and for that all that stands before them be read.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache

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

# Version 0 and old clients know a column of type DateTime('Zone') as DateTime.
_WITH_TIME_ZONE = 54337
_DATE_TIME = b"\x08DateTime"

_GOOD_SIZE = 1 << 18

#: Asks for the types of columns by their names; it may block.
Types = Callable[[], Mapping[bytes, bytes]]


def with_heads(pieces: Iterable[bytes], revision: int, types: Types = dict) -> Iterator[bytes]:
    """Native data of version 0 as it would be for `revision`, which is over 0.

    `types` is asked once, where there is a DateTime. Data that is cut off in a block stays so.
    Raises EngineError (48) for a type whose length is not known.
    """
    passing = Passing(iter(pieces))
    info = _BLOCK_INFO + (_BUCKETS if revision >= _WITH_OUT_OF_ORDER_BUCKETS else b"") + b"\x00"
    mark = _NOT_CUSTOM if revision >= _WITH_CUSTOM_SERIALIZATION else b""
    known = cache(types if revision >= _WITH_TIME_ZONE else dict)
    while not passing.at_end:
        passing.insert(info)
        try:
            _pass_block(passing, mark, known)
        except EOFError:
            yield b"".join(passing.drain())
            yield from passing.rest()
            return
        if sum(map(len, passing.out)) >= _GOOD_SIZE:
            yield b"".join(passing.drain())
    if rest := b"".join(passing.drain()):
        yield rest


def _pass_block(passing: Passing, mark: bytes, types: Types) -> None:
    columns, rows = passing.varint(), passing.varint()
    for _ in range(columns):
        name = passing.string()
        if passing.comes(_DATE_TIME):
            kind = types().get(name, b"DateTime")
            passing.swap(_DATE_TIME, bytes((len(kind),)) + kind)
        else:
            kind = passing.string()
        passing.insert(mark)
        if rows:
            opening(kind.decode())(passing)(passing, rows)
