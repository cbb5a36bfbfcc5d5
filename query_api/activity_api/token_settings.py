"""Settings of bearer tokens: environment variables with the prefix `ACTIVITY_JWT_`."""

from typing import Annotated, Any, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from activity_api.verification_key import ALGORITHMS, verification_key
from activity_settings.files import FileSettings


class TokenSettings(FileSettings):
    """How bearer tokens are signed: one `key` (HMAC secret or public key in PEM), or a JWKS, by its
    own URL or found from the issuer's."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_JWT_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    # RFC 8725 §3.1: never taken from the token itself.
    algorithms: Annotated[tuple[str, ...], NoDecode] = ("HS256",)
    """How tokens may be signed, separated by commas."""
    issuer: str = "activity-local"
    """Who signs the tokens: their claim `iss`. A URL, without a key: its keys are discovered."""
    audience: str = "activity"
    """Whom the tokens are for: their claim `aud`."""
    key: SecretStr | None = None
    """The HMAC secret or the public key in PEM; this or the JWKS."""
    jwks_url: str | None = None
    """Where the issuer publishes its keys; this or the key."""
    jwks_refresh_s: float = Field(default=300, gt=0)
    """Seconds after which keys are fetched again, while the old ones serve."""
    jwks_min_interval_s: float = Field(default=30, ge=1)
    """Seconds between two fetches at least, however many unknown key ids are asked for."""
    jwks_max_stale_s: float = Field(default=86_400, ge=60)
    """Seconds that kept keys serve while the issuer is away; a key that it has withdrawn meanwhile
    serves as long."""
    leeway_s: float = Field(default=0, ge=0, le=600)
    """Seconds that the issuer's clock may be off, for exp, nbf and iat."""
    max_age_s: float | None = Field(default=None, gt=0)
    """Seconds since `iat` that a token is taken; by default as long as `exp` says."""
    max_bytes: int = Field(default=16 << 10, ge=256, le=1 << 20)
    """Bytes of a token at most."""
    typ: str | None = None
    """The one `typ` to accept, such as at+jwt (RFC 9068); by default JWT, at+jwt or none."""
    operator_org: str | None = None
    """Members of this org who hold activity:read_any_org read every org; by default nobody does."""

    @field_validator("algorithms", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("jwks_url")
    @classmethod
    def _check_url(cls, value: str | None) -> str | None:
        if value is not None and not _is_web_address(value):
            raise ValueError("must be like https://issuer.example/jwks.json")
        return value

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = set(self.algorithms) - set(ALGORITHMS)
        if unknown or not self.algorithms:
            known = ", ".join(sorted(ALGORITHMS))
            raise ValueError(f"ACTIVITY_JWT_ALGORITHMS may name {known}; not: {', '.join(unknown)}")
        symmetric = {name.startswith("HS") for name in self.algorithms}
        if len(symmetric) > 1:
            raise ValueError("ACTIVITY_JWT_ALGORITHMS mixes HS* with others: one key fits only one")
        can_discover = _is_web_address(self.issuer)
        sources = [it for it in (self.key, self.jwks_url) if it is not None]
        if len(sources) > 1 or not (sources or can_discover):
            raise ValueError(
                "set one of ACTIVITY_JWT_KEY and ACTIVITY_JWT_JWKS_URL, or neither"
                " if ACTIVITY_JWT_ISSUER is the URL of an OpenID Connect issuer"
            )
        if self.key is not None:
            verification_key(self.key.get_secret_value(), self.algorithms)
        elif symmetric == {True}:
            raise ValueError("ACTIVITY_JWT_JWKS_URL needs ACTIVITY_JWT_ALGORITHMS like RS256")
        return self


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False
