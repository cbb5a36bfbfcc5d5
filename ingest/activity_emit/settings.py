"""Settings of the emitter: environment variables with the prefix `ACTIVITY_`, or arguments."""

import os
from pathlib import Path
from typing import Literal

import aiokafka.codec
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_emit.event.resource import COLLECTIONS
from activity_emit.rules import DEFAULT_RULES, Rule


def default_tally_dir() -> Path:
    """Below `/dev/shm`, one for each user."""
    user = os.geteuid() if hasattr(os, "geteuid") else "user"
    return Path(f"/dev/shm/activity-{user}")  # noqa: S108 - made with 0700, and its owner is checked


class EmitSettings(BaseSettings):
    """What is recorded, and how much may wait. Variables: `ACTIVITY_EMIT_QUEUE_SIZE`, ..."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_EMIT_", frozen=True)

    enabled: bool = True
    queue_size: int = Field(default=10_000, ge=1)  # events between request and publisher
    # Where events are built and sent: a process of its own takes 20 µs per request off the service
    # (docs/adr/0003); a thread where a hook, a commit before the response, or an `ssl_context`
    # needs the service's own memory, or where no process can be started.
    worker: Literal["process", "thread"] = "process"
    # How long an event may wait for company: with the commit it is on disk within 20 ms.
    flush_ms: float = Field(default=15, gt=0)
    stop_timeout_s: float = Field(default=5, ge=0)  # for the last events, at shutdown
    # All but gzip need the package cramjam: `pip install aiokafka[lz4]` brings it for all three.
    compression: Literal["gzip", "snappy", "lz4", "zstd"] | None = None
    websockets: bool = True  # one event per connection
    query_allow: frozenset[str] = frozenset()  # query parameters whose values may be recorded
    rules: tuple[Rule, ...] = DEFAULT_RULES
    collections: dict[str, str] = dict(COLLECTIONS)  # path segment -> resource type

    @field_validator("compression")
    @classmethod
    def _is_installed(cls, codec: str | None) -> str | None:
        if codec is not None and not getattr(aiokafka.codec, f"has_{codec}")():
            raise ValueError(
                f"{codec} is not installed; pip install 'aiokafka[{codec}]', or use gzip"
            )
        return codec


class SpoolSettings(BaseSettings):
    """Where events wait for Kafka. Variables: `ACTIVITY_SPOOL_DIR`, `ACTIVITY_SPOOL_MAX_BYTES`, ...

    On by default, in the user's state directory: a middleware that loses events when a broker
    restarts is not worth having, and nobody sets a variable before the first outage. Where the
    directory cannot be written (read-only container), memory alone is used and the log says so.
    """

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_SPOOL_", frozen=True)

    enabled: bool = True
    dir: Path = Field(default_factory=lambda: default_spool_dir(os.environ))
    max_bytes: int = Field(default=1 << 30, ge=1)  # per worker process
    # Where the numbers of events outlive a process; of this machine, and no disk (tally.py).
    tally_dir: Path = Field(default_factory=default_tally_dir)
    before_response: bool = False  # commit before the response's last byte is sent


def default_spool_dir(environ: "os._Environ[str] | dict[str, str]") -> Path:
    """`$XDG_STATE_HOME/activity/spool`, by default below `~/.local/state`."""
    state_home = environ.get("XDG_STATE_HOME")
    base = Path(state_home) if state_home else Path("~/.local/state").expanduser()
    return base / "activity" / "spool"
