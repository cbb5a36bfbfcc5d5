"""Settings of who reads: environment variables with the prefix `ACTIVITY_READING_`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class ReadingSettings(BaseSettings):
    """What the read API records of its own requests."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_READING_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    enabled: bool = True
    """Whether who reads an org's activity is activity of that org; in `activity run` by default
    not."""
    window_s: float = Field(default=60, gt=0, le=3600)
    """Seconds in which the same reads of the same caller are one event, with their number."""
