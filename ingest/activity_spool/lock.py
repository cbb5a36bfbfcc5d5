"""Files that their owner holds a lock on: the kernel drops it at any death."""

import contextlib
import os
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows: memory only
    fcntl = None  # type: ignore[assignment]


def lock(path: Path, *, create: bool) -> IO[bytes]:
    """Open and lock. Raises BlockingIOError if its owner lives, OSError otherwise."""
    if fcntl is None:  # pragma: no cover
        raise OSError("no file locks on this system")
    flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0)
    handle = os.fdopen(os.open(path, flags, 0o600), "r+b", buffering=0)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Taken on a file that its last owner removed in between: a lock on nothing.
        if os.fstat(handle.fileno()).st_nlink == 0:
            raise BlockingIOError(f"{path.name} is gone")
    except OSError:
        handle.close()
        raise
    return handle


def unlock(handle: IO[bytes]) -> None:
    """Said and not only closed: a copy of the descriptor, in a map or a child, holds it as well."""
    with contextlib.suppress(OSError):
        fcntl.flock(handle, fcntl.LOCK_UN)
    handle.close()
