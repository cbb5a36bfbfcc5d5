"""Settings of the emitter: environment variables with the prefix `ACTIVITY_`, or arguments."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_emit.rules import COLLECTIONS, DEFAULT_RULES, Rule
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_spool.progress import DIRECTORY
from activity_spool.settings import SpoolSettings


class EmitSettings(BaseSettings):
    """What is recorded, and how much may wait. Variables: `ACTIVITY_EMIT_QUEUE_SIZE`, ..."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_EMIT_", frozen=True, use_attribute_docstrings=True
    )

    enabled: bool = True
    """Whether anything is recorded."""
    queue_size: int = Field(default=10_000, ge=1)
    """Events that may wait between request and publisher; further ones are dropped and counted."""
    queue_max_bytes: int = Field(default=64 << 20, ge=1)
    """Bytes that they may take, in the service and in its forwarder each: long paths and facts make
    events large."""
    # A process of its own takes 20 µs per request off the service (docs/adr/0003).
    worker: Literal["process", "thread"] = "process"
    """Where events are built and sent: a process of its own; or a thread, which is also taken where
    a hook, a commit before the response or an `ssl_context` needs the service's own memory."""
    flush_ms: float = Field(default=15, gt=0)
    """How long an event may wait for others, in milliseconds, before it is written to the disk."""
    stop_timeout_s: float = Field(default=5, ge=0)
    """Seconds for the last events, at shutdown."""
    compression: Literal["gzip", "snappy", "lz4", "zstd"] | None = None
    """Kafka's codec; all but gzip need the package cramjam (`pip install aiokafka[lz4]`)."""
    traceparent: bool = False
    """Send W3C's `traceparent` as a Kafka header of each event that is of a trace."""
    websockets: bool = True
    """Whether a websocket connection is an event."""
    query_allow: frozenset[str] = frozenset()
    """Query parameters whose values may be recorded, as a JSON list."""
    strangers: Literal["route", "never", "path"] = "route"
    """Whether a request of nobody of an org, at a path of it, is an event of it: where a route took
    it, never, or always (docs/adr/0007)."""
    visitors: bool = False
    """Whether a caller of another org is an event of both orgs."""
    rules: tuple[Rule, ...] = DEFAULT_RULES
    """Which requests are recorded, and as which action and resource: a JSON list."""
    collections: dict[str, str] = dict(COLLECTIONS)
    """The resource type that a path segment stands for: a JSON object."""

    @field_validator("compression")
    @classmethod
    def _is_installed(cls, codec: str | None) -> str | None:
        if codec is not None:
            # Here: a service without it works, and one that does not compress starts sooner.
            from aiokafka import codec as codecs  # noqa: PLC0415

            if not getattr(codecs, f"has_{codec}")():
                raise ValueError(
                    f"{codec} is not installed; pip install 'aiokafka[{codec}]', or use gzip"
                )
        return codec


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """All that a relay is told, in the service's own process or in the forwarder's.

    `client_options`: further arguments of `aiokafka.AIOKafkaProducer`. `security`: None while a
    secret's file cannot be read.
    """

    producer_id: str
    emit: EmitSettings
    spool: SpoolSettings
    kafka: KafkaSettings
    security: KafkaSecuritySettings | None
    transport: TransportSettings
    client_options: Mapping[str, Any]

    def current_security(self) -> KafkaSecuritySettings:
        """What was read; else read now. Raises ValidationError while that cannot be."""
        return self.security or KafkaSecuritySettings()

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
        """As plain values, the secrets among them: for the forwarder's socket and nothing else."""
        return {
            "producer_id": self.producer_id,
            "emit": self.emit.model_dump_json(),
            "spool": self.spool.model_dump_json(),
            "kafka": self.kafka.model_dump_json(),
            "security": _with_password(self.security),
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
            security=plain["security"]
            and KafkaSecuritySettings.model_validate_json(plain["security"]),
            transport=TransportSettings.model_validate_json(plain["transport"]),
            client_options=plain["client_options"],
        )


def _with_password(security: KafkaSecuritySettings | None) -> str | None:
    if security is None:
        return None
    secrets = {
        name: value.get_secret_value() for name, value in security if isinstance(value, SecretStr)
    }
    return json.dumps({**security.model_dump(mode="json"), **secrets})
