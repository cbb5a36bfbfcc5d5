"""Settings of `activity export` and `activity forward`: variables with the prefix below."""

import base64
import binascii

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from activity_settings.files import FileSettings

_LEAST_BYTES, _MOST_BYTES = 24, 64
SECRET_PREFIX = "whsec_"  # noqa: S105 - how a secret begins


class HistorySettings(FileSettings):
    """The API that is read, and with which token."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_HISTORY_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    url: str = Field(default="http://127.0.0.1:8000", pattern=r"^https?://[^/]+")
    """Where the read API is."""
    token: SecretStr | None = None
    """A JWT or an API key, with `activity:export` to export and `activity:read` to forward; by
    default one of the local stack's."""


class ForwardSettings(FileSettings):
    """What signs the batches."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_FORWARD_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    secret: SecretStr | None = None
    """Shared with the receiver: `whsec_` and 24 to 64 bytes in base64 (Standard Webhooks)."""
    timeout_s: float = Field(default=20, gt=0)
    """Seconds in which the receiver must have answered."""
    longest_pause_s: float = Field(default=300, gt=0)
    """The longest pause before a batch is sent again to a receiver that does not take it."""

    @field_validator("secret")
    @classmethod
    def _check(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            key_of(value)
        return value


def key_of(secret: SecretStr) -> bytes:
    """Raises ValueError."""
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(SECRET_PREFIX) or not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
        raise ValueError(f"must be {SECRET_PREFIX} and 24 to 64 bytes in base64")
    return key
