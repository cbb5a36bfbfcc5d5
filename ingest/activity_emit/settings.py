"""Settings of the emitter: environment variables with the prefix `ACTIVITY_`, or arguments."""

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_emit.rules import COLLECTIONS, DEFAULT_RULES, Rule


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
    compression: Literal["gzip", "snappy", "lz4", "zstd"] | None = None
    websockets: bool = True  # one event per connection
    query_allow: frozenset[str] = frozenset()  # query parameters whose values may be recorded
    rules: tuple[Rule, ...] = DEFAULT_RULES
    collections: dict[str, str] = dict(COLLECTIONS)  # path segment -> resource type
