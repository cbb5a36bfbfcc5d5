"""Settings of the read API: environment variables with the prefix `ACTIVITY_`, or arguments."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Literal, Self, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_api.token_settings import TokenSettings
from activity_http.limits import HttpLimits
from activity_settings.files import FileSettings
from activity_telemetry.settings import LogSettings, TraceSettings

__all__ = [
    "ApiKeySettings",
    "ClickHouseSettings",
    "CursorSettings",
    "KafkaSettings",
    "LimitSettings",
    "QuerySettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "TokenSettings",
]

_Settings = TypeVar("_Settings", bound=BaseSettings)

_SHORTEST_CURSOR_KEY = 32  # bytes


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
    metrics_port: int | None = Field(default=None, ge=0, le=65535)
    """By default `/metrics` is on the API's port, without a token; set, it is on this one alone."""
    access_log: bool = True
    """A line for each request: method, path, status, time; never its query."""
    ui: bool = True
    """The page at `/` that shows the activity; without it `/` is a 404."""


class ClickHouseSettings(FileSettings):
    """Where the events are. `url` may carry user and password; `password` may be in a file."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CLICKHOUSE_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    url: str = Field(default="http://127.0.0.1:8123", repr=False)  # may hold a password
    """ClickHouse's HTTP port; may carry user and password."""
    user: str | None = None
    """Who logs in; by default what the URL says."""
    password: SecretStr | None = None
    """The user's password."""
    database: str = "activity"
    """The database of the tables."""
    on_drift: Literal["unready", "say"] = "unready"
    """Where the tables are not as this release's migrations make them, `/readyz` is 503, or stays
    200. Logs and metrics say it in any case."""
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

    def login(self) -> dict[str, Any]:
        """Arguments of clickhouse_connect's clients, beside `dsn`; what is in them counts first."""
        login = {} if self.user is None else {"username": self.user}
        if self.password is not None:
            login["password"] = self.password.get_secret_value()
        return login


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


class LimitSettings(FileSettings):
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
    """Requests of an org at the same time, per worker."""
    store_url: SecretStr | None = None
    """Redis or Valkey, where the rate is counted over all workers; by default in each one."""

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
        if find_spec("limits") is None or find_spec("redis") is None:
            raise ValueError("needs further packages: pip install 'activity-pipeline[redis]'")
        return value


class CursorSettings(FileSettings):
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


class ApiKeySettings(BaseSettings):
    """Keys that `activity keys` makes."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_API_KEYS_",
        frozen=True,
        env_ignore_empty=True,
        use_attribute_docstrings=True,
    )

    cache_s: float = Field(default=60, gt=0, le=60)
    """Seconds that a key serves without being looked up: while ClickHouse is away, and after it was
    revoked."""


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
    logs: LogSettings = field(default_factory=LogSettings)
    traces: TraceSettings = field(default_factory=TraceSettings)
    http: HttpLimits = field(default_factory=HttpLimits)

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
            logs=_read(LogSettings),
            traces=_read(TraceSettings),
            http=_read(HttpLimits),
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
