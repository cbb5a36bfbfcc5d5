"""How the pipeline's programs write their logs."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import BeforeValidator, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Level = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class LogSettings(BaseSettings):
    """`ACTIVITY_LOG_...`, of consumer, API, demo service and local ClickHouse."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_LOG_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    level: Level = "INFO"
    """DEBUG, INFO, WARNING, ERROR or CRITICAL: what is below it is not written."""
    format: Literal["text", "json"] = "text"
    """`text`: a line for people; `json`: an object a line."""


class TraceSettings(BaseSettings):
    """`ACTIVITY_TRACES_...`, of consumer and API. Where spans go: OpenTelemetry's own variables."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_TRACES_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    enabled: bool = False
    """Spans of inserts, requests and queries by OpenTelemetry; needs the extra `otel`."""

    @field_validator("enabled")
    @classmethod
    def _check_installed(cls, value: bool) -> bool:
        if value and find_spec("opentelemetry") is None:
            raise ValueError("needs further packages: pip install 'activity-pipeline[otel]'")
        return value
