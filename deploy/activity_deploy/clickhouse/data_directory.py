"""The directory of the engine's data: ours alone, writable, of a version we can read."""

import fcntl
import os
from pathlib import Path
from typing import IO


class DataDirectoryError(Exception):
    """The directory cannot be used; the text says what to do."""


class DataDirectory:
    """`DIR/VERSION` (the engine that wrote it), `DIR/LOCK`, and the engine's files in `DIR/chdb`.

    The lock is the kernel's: it goes with the process, however that ends.
    """

    def __init__(self, path: Path, version: str) -> None:
        """Make it if it is missing, lock it, check and renew its version. Raises
        DataDirectoryError."""
        self.engine_path = path / "chdb"
        self._lock: IO[str] | None = None
        try:
            self.engine_path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.engine_path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(self.engine_path))
            self._lock = (path / "LOCK").open("a")
            self._take_lock(path)
            _check_version(path, version)
        except OSError as error:
            text = f"cannot write to {path}: {error.strerror}; choose another one with --path"
            raise DataDirectoryError(text) from None

    def _take_lock(self, path: Path) -> None:
        if self._lock is None:
            return
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"{path} is in use by another process; stop it or choose another --path"
            raise DataDirectoryError(text) from None


def _check_version(path: Path, version: str) -> None:
    marker = path / "VERSION"
    written_by = marker.read_text().strip() if marker.exists() else version
    if _release(written_by) > _release(version):
        raise DataDirectoryError(
            f"{path} was written by ClickHouse {written_by}, this is {version}, which may not read"
            f" it; install that version's chdb, or remove the directory to start empty"
        )
    # A new file and a rename: a crash leaves the old marker or the new one, never half of one.
    fresh = path / "VERSION.new"
    fresh.write_text(version + "\n")
    fresh.replace(marker)


def _release(version: str) -> tuple[int, ...]:
    """26.9.2.1 -> (26, 9). A text that is no version counts as newer than anything."""
    parts = version.split(".")[:2]
    return tuple(int(part) for part in parts) if all(map(str.isdecimal, parts)) else (1 << 30,)
