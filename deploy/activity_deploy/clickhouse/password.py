"""The password of user `default`: of the environment, else one of this data directory's own."""

import os
import secrets
from pathlib import Path

from activity_settings.files import read_variable

VARIABLE = "ACTIVITY_CLICKHOUSE_PASSWORD"
_NAME = "password"


def password_of(directory: Path) -> str:
    """Makes it where there is none. Raises ValueError, OSError."""
    return read_variable(os.environ, VARIABLE) or existing(directory) or _make(directory / _NAME)


def existing(directory: Path) -> str | None:
    """What a server has made there. Raises OSError."""
    path = directory / _NAME
    return path.read_text(encoding="utf-8").strip() if path.exists() else None


def _make(path: Path) -> str:
    made = secrets.token_urlsafe(24)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(made + "\n")
    fresh.replace(path)
    return made
