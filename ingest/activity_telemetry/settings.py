"""How the pipeline's programs write their logs."""

from typing import Annotated, Literal

from pydantic import BeforeValidator
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
