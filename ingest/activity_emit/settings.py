"""Settings of the emitter: environment variables with the prefix `ACTIVITY_`, or arguments."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import aiokafka.codec
from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_emit.rules import COLLECTIONS, DEFAULT_RULES, Rule
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_spool.progress import DIRECTORY
from activity_spool.settings import SpoolSettings


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
    # Whether a request of nobody of an org, at a path of it, is an event of it (docs/adr/0007).
    strangers: Literal["route", "never", "path"] = "route"
    visitors: bool = False  # a caller of another org is an event of both
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


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """All that a relay is told, in the service's own process or in the forwarder's.

    `client_options`: further arguments of `aiokafka.AIOKafkaProducer`.
    """

    producer_id: str
    emit: EmitSettings
    spool: SpoolSettings
    kafka: KafkaSettings
    security: KafkaSecuritySettings
    transport: TransportSettings
    client_options: Mapping[str, Any]

    @property
    def brokerless(self) -> bool:
        """Whether the consumer reads the spools itself."""
        return self.transport.transport == "spool"

    @property
    def directory(self) -> Path:
        """Where the spools lie of all workers that publish to the same place.

        A worker adopts the spools of its own directory, and no others.
        """
        if self.brokerless:
            return self.spool.dir / DIRECTORY
        text = f"{self.kafka.bootstrap_servers}/{self.kafka.topic}"
        return self.spool.dir / hashlib.sha256(text.encode()).hexdigest()[:16]

    def to_plain(self) -> dict[str, Any]:
        """As plain values, the password among them: for the forwarder's socket and nothing else."""
        password = self.security.sasl_password
        security = {
            **self.security.model_dump(mode="json"),
            "sasl_password": password and password.get_secret_value(),
        }
        return {
            "producer_id": self.producer_id,
            "emit": self.emit.model_dump_json(),
            "spool": self.spool.model_dump_json(),
            "kafka": self.kafka.model_dump_json(),
            "security": json.dumps(security),
            "transport": self.transport.model_dump_json(),
            "client_options": dict(self.client_options),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """What `to_plain` was called on."""
        return cls(
            producer_id=plain["producer_id"],
            emit=EmitSettings.model_validate_json(plain["emit"]),
            spool=SpoolSettings.model_validate_json(plain["spool"]),
            kafka=KafkaSettings.model_validate_json(plain["kafka"]),
            security=KafkaSecuritySettings.model_validate_json(plain["security"]),
            transport=TransportSettings.model_validate_json(plain["transport"]),
            client_options=plain["client_options"],
        )
