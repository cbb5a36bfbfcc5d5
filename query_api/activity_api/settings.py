"""Settings of the read API: environment variables with the prefix `ACTIVITY_`, or arguments."""

from dataclasses import dataclass, field
from typing import Annotated, Any, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from activity_api.verification_key import ALGORITHMS, verification_key
from activity_settings.files import FileSettings

_Settings = TypeVar("_Settings", bound=BaseSettings)

_SHORTEST_CURSOR_KEY = 32  # bytes


class SettingsError(Exception):
    """A setting is missing or wrong; the text names the variable and what to do, in one line."""


class ServerSettings(BaseSettings):
    """Where the API listens."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_API_", frozen=True, env_ignore_empty=True
    )

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)  # 0: any free one
    workers: int = Field(default=1, ge=1, le=64)  # processes that share the port


class ClickHouseSettings(FileSettings):
    """Where the events are. `url` may carry user and password; `password` may be in a file."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CLICKHOUSE_", frozen=True, env_ignore_empty=True
    )

    url: str = Field(default="http://127.0.0.1:8123", repr=False)  # may hold a password
    user: str | None = None
    password: SecretStr | None = None
    database: str = "activity"
    # Queries at the same time, per worker; more wait for their turn here, where it costs nothing.
    connections: int = Field(default=16, ge=1)
    # Of these an org may have at most so many: the others' queries find a place at once.
    connections_per_org: int = Field(default=4, ge=1)
    # The part of the engine's time that an org may have while others ask and the engine is busy;
    # over it, it has one place, one thread, and what CPU the others leave. 1: no limit.
    share_per_org: float = Field(default=0.5, gt=0, le=1)
    # Small, so that a host that swallows packets is a 503 within a second and not a hanging page.
    connect_timeout_s: float = Field(default=0.4, gt=0)
    # A query that takes longer is checked on with a ping; without an answer it is given up.
    ping_after_s: float = Field(default=0.25, gt=0)

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be like http://user:password@host:8123")
        return value

    def login(self) -> dict[str, Any]:
        """Arguments of clickhouse_connect's clients, beside `dsn`; what is in them counts first."""
        login = {} if self.user is None else {"username": self.user}
        if self.password is not None:
            login["password"] = self.password.get_secret_value()
        return login


class KafkaSettings(BaseSettings):
    """Whose progress is told: the topic that the consumers read into the table."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_KAFKA_", frozen=True, env_ignore_empty=True
    )

    topic: str = "activity.events.v1"


class QuerySettings(BaseSettings):
    """What one query may cost, in ClickHouse's own words; 0 is no limit."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_QUERY_", frozen=True, env_ignore_empty=True
    )

    max_execution_time: float = Field(default=10, ge=0)  # seconds
    max_rows_to_read: int = Field(default=1_000_000_000, ge=0)
    max_memory_usage: int = Field(default=1 << 30, ge=0)  # bytes


class LimitSettings(FileSettings):
    """What one org may ask of one worker, so that no tenant slows another."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_LIMIT_", frozen=True, env_ignore_empty=True
    )

    requests_per_second: float = Field(default=1000, gt=0)
    burst: int = Field(default=2000, ge=1)
    concurrent: int = Field(default=64, ge=1)
    # Redis or Valkey, where the rate is counted over all workers and replicas. None: in each one.
    store_url: SecretStr | None = None

    @field_validator("store_url")
    @classmethod
    def _check_store(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value.get_secret_value())
            is_good = parts.scheme in ("redis", "rediss") and bool(parts.hostname)
            is_good = is_good and (parts.port or 1) > 0
        except ValueError:
            is_good = False
        if not is_good:
            raise ValueError("must be like redis://:password@host:6379/0, or rediss://...")
        return value


class TokenSettings(FileSettings):
    """How bearer tokens are signed: one `key` (HMAC secret or public key in PEM), or a JWKS, by its
    own URL or found from the issuer's."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_JWT_", frozen=True, env_ignore_empty=True
    )

    # In the environment separated by commas. RFC 8725 §3.1: never taken from the token itself.
    algorithms: Annotated[tuple[str, ...], NoDecode] = ("HS256",)
    issuer: str = "activity-local"
    audience: str = "activity"
    key: SecretStr | None = None
    jwks_url: str | None = None
    # Keys this old are fetched again, while the old ones serve.
    jwks_refresh_s: float = Field(default=300, gt=0)
    # Between two fetches, however many unknown key ids are asked for.
    jwks_min_interval_s: float = Field(default=30, ge=1)
    # So long the kept keys serve while the issuer is away. A key that the issuer has withdrawn
    # serves as long, too, if nobody can be asked.
    jwks_max_stale_s: float = Field(default=86_400, ge=60)
    # How far the issuer's clock may be off, for exp, nbf and iat.
    leeway_s: float = Field(default=0, ge=0, le=600)
    # Since `iat`; None: as long as `exp` says.
    max_age_s: float | None = Field(default=None, gt=0)
    max_bytes: int = Field(default=16 << 10, ge=256, le=1 << 20)
    # The one `typ` to accept, such as at+jwt (RFC 9068). None: JWT, at+jwt or none written.
    typ: str | None = None
    # Members of this org who hold activity:read_any_org read every org. None: nobody does.
    operator_org: str | None = None

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


class CursorSettings(FileSettings):
    """The secret that signs cursors: the same for every worker and every replica."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CURSOR_", frozen=True, env_ignore_empty=True
    )

    key: SecretStr

    @field_validator("key")
    @classmethod
    def _check(cls, value: SecretStr) -> SecretStr:
        if len(value.get_secret_value().encode()) < _SHORTEST_CURSOR_KEY:
            raise ValueError(f"must have at least {_SHORTEST_CURSOR_KEY} bytes")
        return value


class ApiKeySettings(BaseSettings):
    """Keys that `activity keys` makes."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_API_KEYS_", frozen=True, env_ignore_empty=True
    )

    # So long a key serves without being looked up: while the engine is away, and after `revoke`.
    cache_s: float = Field(default=60, gt=0, le=60)


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
    api_keys: ApiKeySettings = field(default_factory=ApiKeySettings)

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
            api_keys=_read(ApiKeySettings),
        )


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        return False


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
