"""ClickHouse's own framing of compressed data, both ways: `decompress=1` and `compress=1`.

A block is a CityHash128 (of version 1.0.2, as ClickHouse keeps it) of all that follows, a byte for
the method, the size of what follows the hash, the size of the data, and the data.
"""

import struct
from collections.abc import Iterable, Iterator

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from activity_deploy.clickhouse.errors import EngineError, refused

NONE, LZ4, ZSTD = 0x02, 0x82, 0x90
METHODS = {"NONE": NONE, "LZ4": LZ4, "ZSTD": ZSTD}

_HASH_BYTES = 16
_HASH = struct.Struct("<QQ")  # the library's first half is its number's higher one
_LOW = (1 << 64) - 1
_HEAD = struct.Struct("<BII")
_START_BYTES = _HASH_BYTES + _HEAD.size
# ClickHouse's DBMS_MAX_COMPRESSED_SIZE, for both sizes.
_LARGEST = 1 << 30
# No LZ4 sequence makes more of one byte; a head that says so is wrong, and would cost memory.
_LZ4_MOST = 255
# As large as ClickHouse makes them (max_compress_block_size).
_BLOCK_BYTES = 1 << 20


def encode(pieces: Iterable[bytes], method: int, level: int = 1) -> Iterator[bytes]:
    """The pieces in blocks. `level`: of ZSTD."""
    for piece in pieces:
        view = memoryview(piece)
        for start in range(0, len(view), _BLOCK_BYTES):
            yield _block(view[start : start + _BLOCK_BYTES], method, level)


def decode(pieces: Iterable[bytes], *, checksums: bool = True) -> Iterator[bytes]:
    """What is in the blocks, one after the other. Raises EngineError where a server would.

    `checksums`: False for http_native_compression_disable_checksumming_on_decompress.
    """
    waiting = bytearray()
    needed = _START_BYTES
    for piece in pieces:
        waiting += piece
        while len(waiting) >= needed:
            needed = _HASH_BYTES + _size(waiting) if needed == _START_BYTES else needed
            if len(waiting) < needed:
                break
            block = bytes(waiting[:needed])
            del waiting[:needed]
            needed = _START_BYTES
            if checksums:
                _check(block)
            yield _unpack(block)
    if waiting:
        text = f"Cannot read all data. Bytes read: {len(waiting)}. Bytes expected: {needed}"
        raise refused(33, "CANNOT_READ_ALL_DATA", text)


def method_of(name: str) -> int:
    """By ClickHouse's name (network_compression_method). Raises EngineError."""
    found = METHODS.get(name.upper())
    if found is None:
        raise refused(432, "UNKNOWN_CODEC", f"Unknown codec family: {name}")
    return found


def _block(data: memoryview, method: int, level: int) -> bytes:
    packed: bytes | memoryview = data
    if method == LZ4:
        packed = lz4.block.compress(data, store_size=False)
    elif method == ZSTD:
        packed = zstandard.ZstdCompressor(level=level).compress(data)
    body = _HEAD.pack(method, _HEAD.size + len(packed), len(data)) + packed
    return _hash(body) + body


def _size(start: bytearray) -> int:
    """What the head says of the bytes behind the hash, if that can be."""
    _, packed, unpacked = _HEAD.unpack_from(start, _HASH_BYTES)
    for name, size in (
        ("size_compressed_without_checksum", packed),
        ("size_decompressed", unpacked),
    ):
        if size > _LARGEST:
            text = f"Too large {name}: {size}. Most likely corrupted data"
            raise refused(131, "TOO_LARGE_SIZE_COMPRESSED", text)
    if packed < _HEAD.size:
        text = (
            f"Can't decompress data: the compressed data size ({packed}) is less than its header's"
        )
        raise refused(246, "CORRUPTED_DATA", text)
    return int(packed)


def _check(block: bytes) -> None:
    actual = _hash(block[_HASH_BYTES:])
    if actual != block[:_HASH_BYTES]:
        text = (
            f"Checksum doesn't match: corrupted data. Reference: {block[:_HASH_BYTES].hex()}."
            f" Actual: {actual.hex()}. Size of compressed block: {len(block) - _HASH_BYTES}"
        )
        raise refused(40, "CHECKSUM_DOESNT_MATCH", text)


def _unpack(block: bytes) -> bytes:
    method, _, size = _HEAD.unpack_from(block, _HASH_BYTES)
    packed = block[_START_BYTES:]
    try:
        if method == NONE:
            data = packed
        elif method == LZ4:
            if size > _LZ4_MOST * (len(packed) + 1):
                raise _cannot("LZ4", size)
            data = lz4.block.decompress(packed, uncompressed_size=size)
        elif method == ZSTD:
            data = _unpack_zstd(packed, size)
        else:
            text = f"Unknown codec family code: {method}"
            raise refused(432, "UNKNOWN_CODEC", text)
    except (lz4.block.LZ4BlockError, zstandard.ZstdError):
        raise _cannot("LZ4" if method == LZ4 else "ZSTD", size) from None
    if len(data) != size:
        raise _cannot("data", size)
    return data


def _unpack_zstd(packed: bytes, size: int) -> bytes:
    # The frame has a size of its own, which is what would be allocated.
    own = zstandard.get_frame_parameters(packed).content_size
    if own not in (zstandard.CONTENTSIZE_UNKNOWN, size):
        raise _cannot("ZSTD", size)
    # 0 would mean no limit.
    return zstandard.ZstdDecompressor().decompress(packed, max_output_size=max(size, 1))


def _cannot(name: str, size: int) -> EngineError:
    text = f"Cannot decompress {name}-encoded data of {size} bytes"
    return refused(271, "CANNOT_DECOMPRESS", text)


def _hash(data: bytes) -> bytes:
    number = CityHash128(data)
    return _HASH.pack(number >> 64, number & _LOW)
