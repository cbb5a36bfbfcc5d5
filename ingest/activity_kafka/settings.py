"""Settings of the ingest side: environment variables with the prefix `ACTIVITY_`, or arguments."""

from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_kafka.security import client_options, wrong_together
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
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "PLAIN"
    """How it logs in, where the protocol is a SASL one."""
    sasl_username: str | None = None
    """The name it logs in with."""
    sasl_password: SecretStr | None = None
    """The password it logs in with."""
    sasl_oauthbearer_token_file: Path | None = None
    """OAUTHBEARER: a file with the token, read at each login."""
    sasl_oauthbearer_token_endpoint_url: str | None = None
    """OAUTHBEARER: the issuer's token endpoint, asked with the client's credentials."""
    sasl_oauthbearer_client_id: str | None = None
    """OAUTHBEARER: who asks the endpoint."""
    sasl_oauthbearer_client_secret: SecretStr | None = None
    """OAUTHBEARER: the secret of who asks."""
    sasl_oauthbearer_scope: str | None = None
    """OAUTHBEARER: the scope that is asked for, if the issuer wants one."""
    ssl_cafile: str | None = None
    """Certificates in PEM of whom to trust; by default the system's."""
    ssl_certfile: str | None = None
    """The client's own certificate, in PEM."""
    ssl_keyfile: str | None = None
    """The key of the client's certificate, in PEM; by default in the certificate's file."""
    ssl_keyfile_password: SecretStr | None = None
    """The password of the key, if it is encrypted."""

    @field_validator("sasl_oauthbearer_token_endpoint_url")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        if value is not None:
            parts = urlsplit(value)
            is_local = parts.hostname in ("127.0.0.1", "::1", "localhost")
            schemes = ("https", "http") if is_local else ("https",)
            if not parts.hostname or parts.scheme not in schemes:
                raise ValueError("must be like https://issuer/token: it gets the client's secret")
        return value

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        for problem in wrong_together(self):
            raise ValueError(problem)
        return self

    def client_options(self) -> dict[str, Any]:
        """Arguments of aiokafka's clients. Raises ValueError for a file that cannot be used."""
        return client_options(self)


class TransportSettings(BaseSettings):
    """How events get from services to the consumer: by Kafka, or on one machine by the spools."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_", frozen=True, use_attribute_docstrings=True
    )

    transport: Literal["kafka", "spool"] = "kafka"
    """How events travel: by Kafka, or on one machine by the services' spools, without a broker."""
