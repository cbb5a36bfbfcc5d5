"""Settings of the local stack: environment variables with the prefix `ACTIVITY_`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


class LocalSettings(BaseSettings):
    """What `make run` starts and where. The two addresses: use what is there, start none."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_",
        frozen=True,
        env_ignore_empty=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    state_dir: Path = Path(".state")
    """Where `activity run` keeps data, logs and secrets; other commands find it from below."""
    api_port: Port = 8000
    """The port of the local read API."""
    consumer_port: Port = 8001
    """The port of the local consumer's health pages and metrics."""
    demo_host: str = "127.0.0.1"
    """Where the demo service listens."""
    demo_port: Port = 8080
    """The port of the local demo service."""
    clickhouse_port: Port = 8123
    """The port of the local ClickHouse."""
    kafka_port: Port = 9092
    """The port of the local Kafka."""
    transport: Literal["kafka", "spool"] | None = None
    """By default Kafka where it can run, else the services' spools, read directly."""
    kafka_bootstrap_servers: str | None = None
    """Use this Kafka and start none."""
    clickhouse_unrestricted: bool = False
    """SQL of the local ClickHouse may read files and addresses, other servers, and use SYSTEM."""
    clickhouse_url: str | None = None
    """Use this ClickHouse and start none."""
