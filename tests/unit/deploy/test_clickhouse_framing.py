"""ClickHouse's own framing: blocks that are whole, cut, broken, or say too much of themselves."""

import struct
from collections.abc import Iterator

import lz4.block
import pytest
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from activity_deploy.clickhouse import framing
from activity_deploy.clickhouse.errors import EngineError

DATA = b"".join(b"%d\tsome text\n" % number for number in range(200_000))


def block(method: int, packed: bytes, size: int) -> bytes:
    """As ClickHouse documents it, written down once more."""
    body = struct.pack("<BII", method, 9 + len(packed), size) + packed
    number = CityHash128(body)
    return struct.pack("<QQ", number >> 64, number & (1 << 64) - 1) + body


def one_by_one(data: bytes) -> Iterator[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


@pytest.mark.parametrize("method", [framing.NONE, framing.LZ4, framing.ZSTD])
def test_what_is_packed_is_unpacked_in_pieces_of_any_size(method: int) -> None:
    packed = b"".join(framing.encode([DATA[:100], DATA[100:]], method))
    if method != framing.NONE:
        assert len(packed) < len(DATA) / 2
    assert b"".join(framing.decode([packed])) == DATA
    small = b"".join(framing.encode([DATA[:3000]], method))
    assert b"".join(framing.decode(one_by_one(small))) == DATA[:3000]


def test_no_block_is_larger_than_clickhouse_makes_them() -> None:
    blocks = list(framing.encode([DATA], framing.LZ4))
    assert len(blocks) == len(DATA) // (1 << 20) + 1
    assert b"".join(framing.decode(blocks)) == DATA


def test_the_layout_is_clickhouses() -> None:
    text = b"SELECT 1" * 10
    assert list(framing.encode([text], framing.NONE)) == [block(2, text, 80)]
    packed = lz4.block.compress(text, store_size=False)
    assert list(framing.decode([block(0x82, packed, 80)])) == [text]
    packed = zstandard.ZstdCompressor().compress(text)
    assert list(framing.decode([block(0x90, packed, 80)])) == [text]
    # Without the size in the frame, as a compressor writes it that does not know it before.
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(text)
    assert list(framing.decode([block(0x90, unsized, 80)])) == [text]


def test_nothing_is_nothing() -> None:
    assert list(framing.encode([], framing.LZ4)) == list(framing.decode([])) == []


GOOD = block(0x82, lz4.block.compress(DATA[:5000], store_size=False), 5000)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (GOOD + GOOD[:-1], 33),
        (GOOD[:10], 33),
        (GOOD[:20], 33),
        (GOOD[:-1] + b"\0", 40),
        (b"\0" + GOOD[1:], 40),
        (GOOD[:16] + struct.pack("<BII", 0x82, (1 << 30) + 1, 10), 131),
        (GOOD[:16] + struct.pack("<BII", 0x82, 10, (1 << 30) + 1), 131),
        (GOOD[:16] + struct.pack("<BII", 0x82, 8, 10), 246),
        (block(0x55, b"abc", 3), 432),
        (block(2, b"abc", 4), 271),
        (block(0x82, b"\xff\xff\xff", 100), 271),
        (block(0x82, b"abc", 1 << 29), 271),
        (block(0x82, lz4.block.compress(b"a" * 50, store_size=False), 51), 271),
        (block(0x90, b"no frame", 10), 271),
        (block(0x90, zstandard.ZstdCompressor().compress(bytes(1 << 20)), 10), 271),
        (b"insertintotvalues" * 3, 131),
    ],
)
def test_a_block_that_is_wrong_is_an_error_of_one_line(body: bytes, code: int) -> None:
    with pytest.raises(EngineError) as caught:
        list(framing.decode([body]))
    assert caught.value.code == code
    assert "\n" not in caught.value.message


def test_checksums_are_left_alone_where_the_client_says_so() -> None:
    wrong = b"\0" * 16 + GOOD[16:]
    assert list(framing.decode([wrong], checksums=False)) == [DATA[:5000]]


def test_methods_by_name() -> None:
    assert framing.method_of("zstd") == framing.ZSTD
    with pytest.raises(EngineError) as caught:
        framing.method_of("ZIP")
    assert caught.value.code == 432
