"""The directory of the engine's data: ours alone, writable, of a version we can read."""

import os
from pathlib import Path

from activity_deploy.process.directory import lock_directory, mark, release, written_by


class DataDirectoryError(Exception):
    """The directory cannot be used; the text says what to do."""


class DataDirectory:
    """`DIR/VERSION` (the engine that wrote it), `DIR/LOCK`, the engine's files in `DIR/chdb`."""

    def __init__(self, path: Path, version: str) -> None:
        """Make it if it is missing, lock it, check and renew its version. Raises
        DataDirectoryError."""
        self.engine_path = path / "chdb"
        try:
            self.engine_path.mkdir(parents=True, exist_ok=True)
            if not os.access(self.engine_path, os.W_OK | os.X_OK):
                raise PermissionError(13, "Permission denied", str(self.engine_path))
            self._lock = lock_directory(path)
            _check_version(path, version)
        except BlockingIOError:
            text = f"{path} is in use by another process; stop it or choose another --path"
            raise DataDirectoryError(text) from None
        except OSError as error:
            text = f"cannot write to {path}: {error.strerror}; choose another one with --path"
            raise DataDirectoryError(text) from None


def _check_version(path: Path, version: str) -> None:
    writer = written_by(path) or version
    if release(writer) > release(version):
        raise DataDirectoryError(
            f"{path} was written by ClickHouse {writer}, this is {version}, which may not read"
            f" it; install that version's chdb, or remove the directory to start empty"
        )
    mark(path, version)
