"""Heads of Native blocks: where the data comes in pieces of any size, or ends too early."""

import struct
from collections.abc import Iterator

import pytest

from activity_deploy.clickhouse.errors import EngineError
from activity_deploy.clickhouse.native import with_heads
from activity_deploy.clickhouse.native_types import opening

INFO = b"\x01\x00\x02\xff\xff\xff\xff\x00"


def text(value: bytes) -> bytes:
    size = len(value)
    return (bytes((size,)) if size < 128 else bytes((size & 127 | 128, size >> 7))) + value


def column(name: bytes, kind: bytes, data: bytes, mark: bytes) -> bytes:
    return text(name) + text(kind) + mark + data


def block(mark: bytes, kind: bytes = b"DateTime") -> bytes:
    """Three rows: of texts short and long, of arrays, of a type that has a zone."""
    texts = text(b"a") + text(b"") + text(b"long" * 400)
    arrays = struct.pack("<QQQ", 2, 2, 3) + text(b"x") + text(b"yy") + text(b"")
    return b"\x03\x03" + b"".join(
        (
            column(b"s", b"String", texts, mark),
            column(b"a", b"Array(String)", arrays, mark),
            column(b"d", kind, struct.pack("<III", 1, 2, 3), mark),
        )
    )


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("size", [1, 2, 7, 100, 10_000])
def test_heads_are_put_in_whatever_the_pieces(size: int) -> None:
    plain = block(b"") + b"\x01\x00" + column(b"n", b"String", b"", b"") + block(b"")
    kind = b"DateTime('UTC')"
    empty = b"\x01\x00" + column(b"n", b"String", b"", b"\0")
    expected = INFO + block(b"\0", kind) + INFO + empty + INFO + block(b"\0", kind)
    assert b"".join(with_heads(pieces(plain, size), 54460, lambda: {b"d": kind})) == expected
    old = INFO + block(b"") + INFO + b"\x01\x00" + column(b"n", b"String", b"", b"")
    assert b"".join(with_heads(pieces(plain, size), 54058)) == old + INFO + block(b"")


@pytest.mark.parametrize("size", [1, 50, 10_000])
def test_what_is_cut_off_stays_cut_off(size: int) -> None:
    whole = INFO + block(b"\0")
    for length in range(1, len(block(b""))):
        cut = b"".join(with_heads(pieces(block(b"")[:length], size), 54460))
        assert whole.startswith(cut)
        assert len(cut) >= length


def test_nothing_stays_nothing() -> None:
    assert b"".join(with_heads([], 54460)) == b""


@pytest.mark.parametrize("kind", ["AggregateFunction(uniq, UInt8)", "Array(QBit(Float32, 8))", "X"])
def test_a_type_without_a_known_length_is_refused(kind: str) -> None:
    with pytest.raises(EngineError) as caught:
        opening(kind)
    assert caught.value.code == 48
