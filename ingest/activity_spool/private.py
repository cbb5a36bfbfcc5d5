"""Folders that nobody else may read or write, in places that are everybody's: /dev/shm, /tmp."""

import contextlib
import os
import stat
from pathlib import Path


def make_private(folder: Path) -> None:
    """Raises OSError where it would not be ours alone."""
    if not hasattr(os, "geteuid"):
        raise OSError("no owners of files on this system")
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not ours")
