"""How an answer's bytes go over the wire: heads of its blocks, ClickHouse's framing, HTTP's."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from activity_deploy.clickhouse import compression, framing, native

_NATIVE = "Native"


@dataclass(frozen=True, slots=True)
class Encoding:
    """`revision`: of Native's blocks, 0 for none; `method` of framing (0: none), `level`: of ZSTD;
    `http`: a Content-Encoding or ''."""

    revision: int = 0
    method: int = 0
    level: int = 1
    http: str = ""

    def encode(
        self, pieces: Iterator[bytes], answer_format: str, types: native.Types
    ) -> Iterator[bytes]:
        """Of an answer in this format. Raises EngineError at a block that cannot be encoded."""
        if self.revision and answer_format == _NATIVE:
            return native.with_heads(pieces, self.revision, types)
        return pieces

    def pack(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Compressed as it was asked for; also of an error's text."""
        if self.method:
            pieces = framing.encode(pieces, self.method, self.level)
        return compression.encode(pieces, self.http) if self.http else pieces

    def changes(self, answer_format: str) -> bool:
        """The bytes are not sent as the engine made them."""
        return bool(self.method or self.http or (self.revision and answer_format == _NATIVE))


def with_tail(pieces: Iterator[bytes], tail: Callable[[], bytes]) -> Iterator[bytes]:
    """`tail` is asked when all pieces have been taken."""
    yield from pieces
    if rest := tail():
        yield rest
