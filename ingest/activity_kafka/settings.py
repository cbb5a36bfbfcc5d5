"""Settings of the ingest side: environment variables with the prefix `ACTIVITY_`, or arguments."""

from typing import Any, Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_schemas.event import DEAD_LETTER_TOPIC, TOPIC


class KafkaSettings(BaseSettings):
    """Where the events travel. What a producer and the consumer both need."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_KAFKA_", frozen=True)

    bootstrap_servers: str = "127.0.0.1:9092"
    topic: str = TOPIC
    dead_letter_topic: str = DEAD_LETTER_TOPIC
    group_id: str = "activity-consumer"

    @property
    def servers(self) -> list[str]:
        """`bootstrap_servers` is separated by commas, as everywhere in Kafka; aiokafka takes a text
        with a comma in it for one server's name."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]


class KafkaSecuritySettings(BaseSettings):
    """How a client proves who it is, by Kafka's own names; nothing for a broker without."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_KAFKA_", frozen=True)

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    sasl_username: str | None = None
    sasl_password: SecretStr | None = None
    #: Certificates in PEM: whom to trust (default: the system's), and who we are.
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None

    def client_options(self) -> dict[str, Any]:
        """Arguments of aiokafka's clients. Raises OSError for a file that cannot be read."""
        options: dict[str, Any] = {}
        if self.security_protocol != "PLAINTEXT":
            options["security_protocol"] = self.security_protocol
        if self.security_protocol.endswith("SSL"):
            # Here: settings can be read where there is no Kafka client.
            from aiokafka.helpers import create_ssl_context  # noqa: PLC0415

            options["ssl_context"] = create_ssl_context(
                cafile=self.ssl_cafile, certfile=self.ssl_certfile, keyfile=self.ssl_keyfile
            )
        if self.security_protocol.startswith("SASL"):
            password = self.sasl_password.get_secret_value() if self.sasl_password else None
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": password,
            }
        return options


class TransportSettings(BaseSettings):
    """How events get from services to the consumer: by Kafka, or on one machine by the spools."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_", frozen=True)

    transport: Literal["kafka", "spool"] = "kafka"


class ClickHouseSettings(BaseSettings):
    """Where the events end up. `url` may carry user and password."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_CLICKHOUSE_", frozen=True)

    url: str = "http://127.0.0.1:8123"
    database: str = "activity"
