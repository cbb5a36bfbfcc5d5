"""Settings of the local stack: environment variables with the prefix `ACTIVITY_`."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65535)]


class LocalSettings(BaseSettings):
    """What `make run` starts and where. The two addresses: use what is there, start none."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_", frozen=True, env_ignore_empty=True, extra="ignore"
    )

    state_dir: Path = Path(".state")
    api_port: Port = 8000
    consumer_port: Port = 8001
    demo_port: Port = 8080
    clickhouse_port: Port = 8123
    kafka_port: Port = 9092
    #: None: Kafka where it can run, else the services' spools, read directly.
    transport: Literal["kafka", "spool"] | None = None
    kafka_bootstrap_servers: str | None = None
    clickhouse_url: str | None = None
