"""Settings of the ingest side: environment variables with the prefix `ACTIVITY_`, or arguments."""

from typing import Any, Literal

from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_schemas.event import DEAD_LETTER_TOPIC, TOPIC
from activity_settings.files import FileSettings


class KafkaSettings(BaseSettings):
    """Where the events travel. What a producer and the consumer both need."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_KAFKA_", frozen=True, use_attribute_docstrings=True
    )

    bootstrap_servers: str = "127.0.0.1:9092"
    """Kafka's brokers, as host:port, separated by commas."""
    topic: str = TOPIC
    """The topic of the events."""
    dead_letter_topic: str = DEAD_LETTER_TOPIC
    """The topic of messages that are no events."""
    group_id: str = "activity-consumer"
    """The consumers' group."""

    @property
    def servers(self) -> list[str]:
        """`bootstrap_servers` is separated by commas, as everywhere in Kafka; aiokafka takes a text
        with a comma in it for one server's name."""
        return [server.strip() for server in self.bootstrap_servers.split(",") if server.strip()]


class KafkaSecuritySettings(FileSettings):
    """How a client proves who it is, by Kafka's own names; nothing for a broker without.
    `ACTIVITY_KAFKA_SASL_PASSWORD_FILE` names a file that holds the password."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_KAFKA_", frozen=True, use_attribute_docstrings=True
    )

    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How a client talks to the brokers, in Kafka's words."""
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "PLAIN"
    """How it logs in, where the protocol is a SASL one."""
    sasl_username: str | None = None
    """The name it logs in with."""
    sasl_password: SecretStr | None = None
    """The password it logs in with."""
    ssl_cafile: str | None = None
    """Certificates in PEM of whom to trust; by default the system's."""
    ssl_certfile: str | None = None
    """The client's own certificate, in PEM."""
    ssl_keyfile: str | None = None
    """The key of the client's certificate, in PEM."""

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

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_", frozen=True, use_attribute_docstrings=True
    )

    transport: Literal["kafka", "spool"] = "kafka"
    """How events travel: by Kafka, or on one machine by the services' spools, without a broker."""
