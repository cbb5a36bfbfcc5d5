"""An INSERT's data as a file, which is how this engine takes it."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

# Bytes, and files: what is kept for the next insert.
_LARGEST_KEPT = 64 << 20
_MOST_KEPT = 4


class InsertFiles:
    """Files in memory (on Linux; temporary ones elsewhere), used again and again: to get fresh
    pages for 20 MB takes a twentieth of the time the engine needs to insert them."""

    def __init__(self) -> None:
        self._free: list[IO[bytes]] = []

    @contextlib.contextmanager
    def holding(self, pieces: Sequence[bytes]) -> Iterator[str]:
        """A path the engine can read the pieces from until the context ends."""
        try:
            file = self._free.pop()
        except IndexError:
            file = _open()
        try:
            file.seek(0)
            file.writelines(pieces)
            file.truncate()
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}" if sys.platform == "linux" else file.name
        finally:
            if file.tell() <= _LARGEST_KEPT and len(self._free) < _MOST_KEPT:
                self._free.append(file)
            else:
                file.close()


def _open() -> IO[bytes]:
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("insert"), "wb")
    return tempfile.NamedTemporaryFile(suffix=".insert")
