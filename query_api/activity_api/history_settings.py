"""Settings of what leads an org's history out of the house: feed, stream, export."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RetentionSettings(BaseSettings):
    """How long events are kept, and for how long a cursor of the feed is good."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_RETENTION_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    days: int | None = Field(default=None, ge=1, le=36_500)
    """Days that `activity retention --apply` keeps the events of an org without a time of its own,
    and those until the month is over; a cursor of the feed is good for as many. By default for
    ever."""


class StreamSettings(BaseSettings):
    """Live tails, `/activity/stream`."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_STREAM_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    connections: int = Field(default=2000, ge=1)
    """Tails at the same time, per worker; one more is a 503."""
    connections_per_org: int = Field(default=200, ge=1)
    """Of these an org may have at most so many; one more is a 429."""
    heartbeat_s: float = Field(default=15, gt=0)
    """Seconds without an event after which a comment line is sent."""
    max_age_s: float = Field(default=900, gt=0)
    """Seconds after which a tail ends, so that its token is looked at again when it comes back."""


class ExportSettings(BaseSettings):
    """Exports, `/activity/export`."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_EXPORT_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    concurrent: int = Field(default=4, ge=1)
    """Exports at the same time, per worker; one more is a 503."""
    concurrent_per_org: int = Field(default=1, ge=1)
    """Of these an org may have at most so many; one more is a 429."""
    parquet_rows: int = Field(default=1_000_000, ge=1)
    """Rows of a Parquet answer at most, which is one query; more is a 422 that says so."""
