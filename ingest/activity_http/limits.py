"""What one connection may take of a server: bytes and seconds."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class HttpLimits(BaseSettings):
    """The same for the read API, the consumer's pages and the local stack's servers."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_HTTP_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    # The longest of ours: four ids of 256 characters, each of them 12 bytes once it is escaped.
    max_request_line_bytes: int = Field(default=16 << 10, ge=256)
    """Bytes of a request's target; more is a 414."""
    max_header_bytes: int = Field(default=32 << 10, ge=1024)
    """Bytes of the target and all header fields together; more is a 431."""
    max_body_bytes: int = Field(default=64 << 10, ge=0)
    """Bytes of a body (none of ours has a use for one); more is a 413. 0: no limit."""
    header_timeout_s: float = Field(default=10, gt=0)
    """Seconds from a request's first byte to the end of its header; more is a 408."""
    body_timeout_s: float = Field(default=20, gt=0)
    """Seconds for a body, and one more for every 500 bytes that have come; more is a 408."""
    idle_timeout_s: float = Field(default=30, gt=0)
    """Seconds that a connection may be open without a request."""
    write_timeout_s: float = Field(default=30, gt=0)
    """Seconds in which a client must take some of its answer, or it is cut off."""


#: Bytes a second that a body must come with, once its time is up: Apache's RequestReadTimeout.
LEAST_BODY_RATE = 500
