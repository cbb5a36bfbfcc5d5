"""Settings of the read API: environment variables with the prefix `ACTIVITY_`, or arguments."""

from dataclasses import dataclass
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from jwt.algorithms import get_default_algorithms
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

_Settings = TypeVar("_Settings", bound=BaseSettings)

_SHORTEST_CURSOR_KEY = 32  # bytes
# RFC 8725 §3.2: `none` is no algorithm.
_ALGORITHMS = frozenset(get_default_algorithms()) - {"none"}


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the variable and what to do, in one line."""


class ServerSettings(BaseSettings):
    """Where the API listens."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_API_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    host: str = "127.0.0.1"
    """Where the API listens."""
    port: int = Field(default=8000, ge=0, le=65535)
    """The port; 0: any free one."""
    workers: int = Field(default=1, ge=1, le=64)
    """Processes that share the port."""


class ClickHouseSettings(BaseSettings):
    """Where the events are. `url` may carry user and password."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CLICKHOUSE_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    url: str = "http://127.0.0.1:8123"
    """ClickHouse's HTTP port; may carry user and password."""
    database: str = "activity"
    """The database of the tables."""
    connections: int = Field(default=16, ge=1)
    """Queries at the same time, per worker; more wait for their turn."""
    connections_per_org: int = Field(default=4, ge=1)
    """Of these an org may have at most so many: the others' queries find a slot at once."""
    share_per_org: float = Field(default=0.5, gt=0, le=1)
    """The part of the engine's time that an org may have while others ask and the engine is busy;
    over it, it has one slot, one thread, and what CPU the others leave. 1: no limit."""
    # Small, so that a host that swallows packets is a 503 within a second and not a hanging page.
    connect_timeout_s: float = Field(default=0.4, gt=0)
    """Seconds for a connection to ClickHouse."""
    ping_after_s: float = Field(default=0.25, gt=0)
    """A query that takes longer is checked on with a ping; without an answer it is given up."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be like http://user:password@host:8123")
        return value


class KafkaSettings(BaseSettings):
    """Whose progress is told: the topic that the consumers read into the table."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_KAFKA_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    topic: str = "activity.events.v1"
    """The topic of the events."""


class QuerySettings(BaseSettings):
    """What one query may cost, in ClickHouse's own words; 0 is no limit."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_QUERY_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    max_execution_time: float = Field(default=10, ge=0)
    """Seconds that a query may take; 0: no limit."""
    max_rows_to_read: int = Field(default=1_000_000_000, ge=0)
    """Rows that a query may read; 0: no limit."""
    max_memory_usage: int = Field(default=1 << 30, ge=0)
    """Bytes of memory that a query may take; 0: no limit."""


class LimitSettings(BaseSettings):
    """What one org may ask of one worker, so that no tenant slows another."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_LIMIT_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    requests_per_second: float = Field(default=1000, gt=0)
    """Requests of an org per second, in the long run, per worker."""
    burst: int = Field(default=2000, ge=1)
    """Requests of an org at once, after a rest."""
    concurrent: int = Field(default=64, ge=1)
    """Requests of an org at the same time."""


class TokenSettings(BaseSettings):
    """How bearer tokens are signed: one `key` (HMAC secret or public key in PEM), or a JWKS."""

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
    """Who signs the tokens: their claim `iss`."""
    audience: str = "activity"
    """Whom the tokens are for: their claim `aud`."""
    key: SecretStr | None = None
    """The HMAC secret or the public key in PEM; this or the JWKS."""
    jwks_url: str | None = None
    """Where the issuer publishes its keys; this or the key."""

    @field_validator("algorithms", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = set(self.algorithms) - _ALGORITHMS
        if unknown or not self.algorithms:
            known = ", ".join(sorted(_ALGORITHMS))
            raise ValueError(f"ACTIVITY_JWT_ALGORITHMS may name {known}; not: {', '.join(unknown)}")
        symmetric = {name.startswith("HS") for name in self.algorithms}
        if len(symmetric) > 1:
            raise ValueError("ACTIVITY_JWT_ALGORITHMS mixes HS* with others: one key fits only one")
        if (self.key is None) == (self.jwks_url is None):
            raise ValueError("set one of ACTIVITY_JWT_KEY and ACTIVITY_JWT_JWKS_URL")
        if symmetric == {True}:
            if self.key is None:
                raise ValueError("ACTIVITY_JWT_JWKS_URL needs ACTIVITY_JWT_ALGORITHMS like RS256")
            # RFC 7518 §3.2: an HMAC key is at least as long as the hash's output.
            shortest = max(int(name[2:]) for name in self.algorithms) // 8
            if len(self.key.get_secret_value().encode()) < shortest:
                raise ValueError(f"ACTIVITY_JWT_KEY must have at least {shortest} bytes")
        return self


class CursorSettings(BaseSettings):
    """The secret that signs cursors: the same for every worker and every replica."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CURSOR_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    key: SecretStr
    """The secret that signs cursors, of 32 bytes or more; the same for every process of the API."""

    @field_validator("key")
    @classmethod
    def _check(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < _SHORTEST_CURSOR_KEY:
            raise ValueError(f"must have at least {_SHORTEST_CURSOR_KEY} bytes")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All of them."""

    server: ServerSettings
    clickhouse: ClickHouseSettings
    kafka: KafkaSettings
    query: QuerySettings
    limits: LimitSettings
    tokens: TokenSettings
    cursor: CursorSettings

    @classmethod
    def from_environment(cls) -> Self:
        """Raises SettingsError."""
        return cls(
            server=_read(ServerSettings),
            clickhouse=_read(ClickHouseSettings),
            kafka=_read(KafkaSettings),
            query=_read(QuerySettings),
            limits=_read(LimitSettings),
            tokens=_read(TokenSettings),
            cursor=_read(CursorSettings),
        )


def _read(model: type[_Settings]) -> _Settings:
    try:
        return model()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        words = first["msg"].removeprefix("Value error, ")
        if not first["loc"]:
            raise SettingsError(words) from None
        variable = f"{model.model_config.get('env_prefix')}{first['loc'][0]}".upper()
        raise SettingsError(f"{variable}: {words[0].lower()}{words[1:]}") from None
