"""Where the spools lie; known to the service that writes them and to a consumer that reads them."""

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _own_name() -> str:
    return f"activity-{os.geteuid() if hasattr(os, 'geteuid') else 'user'}"


def default_tally_dir() -> Path:
    """Below `/dev/shm`, one for each user."""
    return Path("/dev/shm") / _own_name()  # noqa: S108 - made with 0700, and its owner is checked


def homeless_dir(environ: Mapping[str, str]) -> Path:
    """Below `TMPDIR` or `/tmp`, one for each user: for users without a home."""
    return Path(environ.get("TMPDIR") or "/tmp") / _own_name()  # noqa: S108 - as above


class SpoolSettings(BaseSettings):
    """Where events wait for Kafka. Variables: `ACTIVITY_SPOOL_DIR`, `ACTIVITY_SPOOL_MAX_BYTES`, ...

    On by default, in the user's state directory: a middleware that loses events when a broker
    restarts is not worth having, and nobody sets a variable before the first outage. Where the
    directory cannot be written (read-only container), memory alone is used and the log says so.
    """

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_SPOOL_", frozen=True, use_attribute_docstrings=True
    )

    enabled: bool = True
    """Whether events wait on the disk; without, they wait in memory and are lost with it."""
    dir: Path = Field(default_factory=lambda: default_spool_dir(os.environ))
    """Where the spools lie."""
    max_bytes: int = Field(default=1 << 30, ge=1)
    """How large a worker's spool may grow, in bytes; then events are dropped and counted."""
    # See activity_emit/event/sequence.py.
    tally_dir: Path = Field(default_factory=default_tally_dir)
    """Where the numbers of events outlive a process: on this machine, in memory."""
    before_response: bool = False
    """Commit an event to the disk before its response's last byte is sent."""


def default_spool_dir(environ: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/activity/spool`, by default below `~/.local/state`; see `homeless_dir` for
    a user who has neither HOME nor a line in /etc/passwd, as in many containers."""
    state_home = environ.get("XDG_STATE_HOME")
    try:
        base = Path(state_home) if state_home else Path("~/.local/state").expanduser()
    except RuntimeError:
        base = homeless_dir(environ)
    return base / "activity" / "spool"
