"""HTTP's Content-Encoding, both ways."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import brotli
import lz4.frame
import zstandard

from activity_deploy.clickhouse.errors import refused

_UNPACK: dict[str, Callable[[bytes], Any]] = {
    "lz4": lz4.frame.decompress,
    "zstd": lambda body: zstandard.ZstdDecompressor().decompressobj().decompress(body),
    "gzip": gzip.decompress,
    "x-gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "xz": lzma.decompress,
    "bz2": bz2.decompress,
}
# Cheapest first: on loopback time counts, not size.
_PACK: dict[str, Callable[[], Any]] = {
    "lz4": lz4.frame.LZ4FrameCompressor,
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "gzip": lambda: zlib.compressobj(level=1, wbits=31),
    "deflate": lambda: zlib.compressobj(level=1),
    "br": lambda: brotli.Compressor(quality=1),
    "xz": lambda: lzma.LZMACompressor(preset=0),
    "bz2": bz2.BZ2Compressor,
}
_FAILURES = (
    *(RuntimeError, OSError, EOFError, ValueError),
    *(zstandard.ZstdError, zlib.error, lzma.LZMAError, brotli.error),
)


def decode(body: bytes, encoding: str) -> bytes:
    """A request's body as it was before its Content-Encoding. Raises EngineError."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in _UNPACK:
        raise refused(89, "UNKNOWN_COMPRESSION_METHOD", f"Unknown Content-Encoding {encoding!r}")
    try:
        return bytes(_UNPACK[name](body))
    except _FAILURES as error:
        raise refused(271, "CANNOT_DECOMPRESS", f"Body is not {encoding}: {error}") from None


def chosen(accepted: str) -> str:
    """The cheapest encoding of those in an Accept-Encoding, or ''."""
    names = set()
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if weight.strip().rstrip("0") not in ("q=", "q=0."):
            names.add(name.strip())
    return next((encoding for encoding in _PACK if encoding in names), "")


def encode(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """An answer in one of `chosen`'s encodings, also if it is empty."""
    compressor = _PACK[encoding]()
    if isinstance(compressor, lz4.frame.LZ4FrameCompressor):
        yield compressor.begin()
    pack = compressor.process if encoding == "br" else compressor.compress
    for piece in pieces:
        if packed := bytes(pack(piece)):
            yield packed
    yield bytes(compressor.finish() if encoding == "br" else compressor.flush())
