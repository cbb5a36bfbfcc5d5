"""A directory of one process at a time, which knows the version that has written it."""

from pathlib import Path
from typing import IO

from activity_spool.lock import lock

_LOCK, _VERSION = "LOCK", "VERSION"


def lock_directory(path: Path) -> IO[bytes]:
    """Ours while the file is open; the kernel unlocks it with the process, however that ends.

    Raises BlockingIOError where another process has it, other OSErrors where it cannot be written.
    """
    return lock(path / _LOCK, create=True)


def written_by(path: Path) -> str | None:
    """What `mark` wrote last; None: nothing yet. Raises OSError."""
    try:
        return (path / _VERSION).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None


def mark(path: Path, version: str) -> None:
    """A new file and a rename: a crash leaves the old mark or the new one. Raises OSError."""
    fresh = path / f"{_VERSION}.new"
    fresh.write_text(f"{version}\n", encoding="utf-8")
    fresh.replace(path / _VERSION)


def release(version: str) -> tuple[int, ...]:
    """26.9.2.1 -> (26, 9). A text that is no version counts as newer than anything."""
    parts = version.split(".")[:2]
    return tuple(map(int, parts)) if all(map(str.isdecimal, parts)) else (1 << 30,)
