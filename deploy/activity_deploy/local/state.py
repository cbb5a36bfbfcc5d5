"""The state directory: everything that `make run` keeps, and the secrets of the local stack."""

import os
import secrets
from pathlib import Path
from typing import IO

from activity_deploy.errors import UserError
from activity_deploy.kafka.jars import VERSION as KAFKA
from activity_deploy.process.directory import lock_directory, mark, release, written_by

LAYOUT = "1"  # of this directory; raised by a change that older or newer code would misread
_LOGS_KEPT = ".1"  # of the run before this one


class StateDirectory:
    """`kafka/ clickhouse/ spool/ logs/ VERSION LOCK addresses.json *.key`, of one launcher."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.kafka = self.path / "kafka"
        self.clickhouse = self.path / "clickhouse"
        self.spool = self.path / "spool"
        self.logs = self.path / "logs"
        #: Where the parts of the last run were to be reached (addresses.py).
        self.addresses = self.path / "addresses.json"
        self._lock: IO[bytes] | None = None

    @classmethod
    def is_one(cls, path: Path) -> bool:
        """Whether `make run` has made this directory."""
        try:
            return written_by(path) is not None
        except OSError:  # a folder above ours that others do not let us read
            return False

    def open(self) -> None:
        """Make it or check it, and lock it. Raises UserError."""
        try:
            new = not self.path.exists() or not any(self.path.iterdir())
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not new and not self.is_one(self.path):
                raise UserError(
                    f"{self.path} is not a state directory of this program;"
                    " set ACTIVITY_STATE_DIR to a new or empty one"
                )
            self._take_lock()
            self._check_version()
            self.logs.mkdir(exist_ok=True)
            for log in self.logs.glob("*.log"):
                log.replace(log.with_name(log.name + _LOGS_KEPT))
        except OSError as error:
            raise UserError(
                f"cannot use {self.path}: {error.strerror}; set ACTIVITY_STATE_DIR to another place"
            ) from error

    def log(self, name: str) -> Path:
        """Where the child called `name` writes."""
        return self.logs / f"{name}.log"

    def key(self, name: str) -> str:
        """The secret `name`, made when first asked for; readable by its owner only."""
        path = self.key_path(name)
        if not path.exists():
            fresh = path.with_suffix(".new")
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_urlsafe(48))
            fresh.replace(path)
        return path.read_text().strip()

    def key_path(self, name: str) -> Path:
        """Where the secret `name` is, or would be."""
        return self.path / f"{name}.key"

    def existing_key(self, name: str) -> str | None:
        """The secret if there is one; nothing is made."""
        path = self.key_path(name)
        return path.read_text().strip() if path.exists() else None

    def _take_lock(self) -> None:
        try:
            self._lock = lock_directory(self.path)
        except BlockingIOError as error:
            raise UserError(
                f"another `make run` uses {self.path}; stop it or set ACTIVITY_STATE_DIR"
            ) from error

    def _check_version(self) -> None:
        mine = f"layout {LAYOUT}, Kafka {KAFKA}"
        theirs = written_by(self.path) or mine
        layout, _, kafka = theirs.partition(", Kafka ")
        if layout != f"layout {LAYOUT}" or release(kafka) > release(KAFKA):
            raise UserError(
                f"{self.path} was written by another version ({theirs}; this is {mine});"
                " `make clean` removes it, or set ACTIVITY_STATE_DIR to keep it"
            )
        mark(self.path, mine)
