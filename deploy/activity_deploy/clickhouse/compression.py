"""HTTP's Content-Encoding, both ways."""

import gzip
import zlib

import lz4.frame
import zstandard

from activity_deploy.clickhouse.errors import refused

# Cheapest first: on loopback time counts, not size.
_ENCODINGS = ("lz4", "zstd", "gzip", "deflate")
# Below this a frame costs more than it saves.
_SMALLEST = 4096


def decode(body: bytes, encoding: str) -> bytes:
    """A request's body as it was before its Content-Encoding. Raises EngineError."""
    try:
        match encoding.strip().lower():
            case "" | "identity":
                return body
            case "lz4":
                return bytes(lz4.frame.decompress(body))
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case "gzip" | "x-gzip":
                return gzip.decompress(body)
            case "deflate":
                return zlib.decompress(body)
    except (RuntimeError, zstandard.ZstdError, OSError, EOFError, zlib.error) as error:
        raise refused(271, "CANNOT_DECOMPRESS", f"Body is not {encoding}: {error}") from None
    raise refused(89, "UNKNOWN_COMPRESSION_METHOD", f"Unknown Content-Encoding {encoding!r}")


def encode(body: bytes, accepted: str) -> tuple[bytes, str]:
    """A response's body in the cheapest encoding the client accepts, and that encoding or ''."""
    if not accepted or len(body) < _SMALLEST:
        return body, ""
    names = {part.split(";")[0].strip().lower() for part in accepted.split(",")}
    for encoding in _ENCODINGS:
        if encoding in names:
            return _encode(body, encoding), encoding
    return body, ""


def _encode(body: bytes, encoding: str) -> bytes:
    match encoding:
        case "lz4":
            return bytes(lz4.frame.compress(body, store_size=False))
        case "zstd":
            return zstandard.ZstdCompressor(level=1).compress(body)
        case "gzip":
            return gzip.compress(body, compresslevel=1)
    return zlib.compress(body, level=1)
