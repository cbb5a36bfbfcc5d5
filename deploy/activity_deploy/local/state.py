"""The state directory: everything that `make run` keeps, and the secrets of the local stack."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

from activity_deploy.errors import Problem
from activity_deploy.kafka.jars import VERSION as KAFKA

LAYOUT = "1"  # of this directory; raised by a change that older or newer code would misread
_MARKER = "VERSION"
_LOGS_KEPT = ".1"  # of the run before this one


class StateDirectory:
    """`kafka/ clickhouse/ spool/ logs/ VERSION LOCK addresses.json *.key`, of one launcher.

    The lock is the kernel's: it goes with the process, however that ends.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.kafka = self.path / "kafka"
        self.clickhouse = self.path / "clickhouse"
        self.spool = self.path / "spool"
        self.logs = self.path / "logs"
        #: Where the parts of the last run were to be reached (addresses.py).
        self.addresses = self.path / "addresses.json"
        self._lock: IO[str] | None = None

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether `make run` has made this directory."""
        return (path / _MARKER).is_file()

    def open(self) -> None:
        """Make it or check it, and lock it. Raises Problem."""
        try:
            new = not self.path.exists() or not any(self.path.iterdir())
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not new and not self._marker.exists():
                raise Problem(
                    f"{self.path} is not a state directory of this program;"
                    " set ACTIVITY_STATE_DIR to a new or empty one"
                )
            self._take_lock()
            self._check_version()
            self.logs.mkdir(exist_ok=True)
            for log in self.logs.glob("*.log"):
                log.replace(log.with_name(log.name + _LOGS_KEPT))
        except OSError as error:
            raise Problem(
                f"cannot use {self.path}: {error.strerror}; set ACTIVITY_STATE_DIR to another place"
            ) from error

    def log(self, name: str) -> Path:
        """Where the child called `name` writes."""
        return self.logs / f"{name}.log"

    def key(self, name: str) -> str:
        """The secret `name`, made when first asked for; readable by its owner only."""
        path = self._key_path(name)
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            fresh.replace(path)
        return path.read_text().strip()

    def existing_key(self, name: str) -> str | None:
        """The secret if there is one; nothing is made."""
        path = self._key_path(name)
        return path.read_text().strip() if path.exists() else None

    @property
    def _marker(self) -> Path:
        return self.path / _MARKER

    def _key_path(self, name: str) -> Path:
        return self.path / f"{name}.key"

    def _take_lock(self) -> None:
        self._lock = (self.path / "LOCK").open("a")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Problem(
                f"another `make run` uses {self.path}; stop it or set ACTIVITY_STATE_DIR"
            ) from error

    def _check_version(self) -> None:
        mine = f"layout {LAYOUT}, Kafka {KAFKA}"
        theirs = self._marker.read_text().strip() if self._marker.exists() else mine
        layout, _, kafka = theirs.partition(", Kafka ")
        if layout != f"layout {LAYOUT}" or _release(kafka) > _release(KAFKA):
            raise Problem(
                f"{self.path} was written by another version ({theirs}; this is {mine});"
                " `make clean` removes it, or set ACTIVITY_STATE_DIR to keep it"
            )
        # A new file and a rename: a crash leaves the old marker or the new one, never half of one.
        fresh = self.path / "VERSION.new"
        fresh.write_text(mine + "\n")
        fresh.replace(self._marker)


def _release(version: str) -> tuple[int, ...]:
    """4.1.1 -> (4, 1). A text that is no version counts as newer than anything."""
    try:
        return tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        return (2**31,)
