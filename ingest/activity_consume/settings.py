"""Settings of the consumer, from environment variables: of ClickHouse, and its own."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from activity_settings.files import FileSettings

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


_ON_A_CLUSTER = {
    "insert_quorum": 2,
    # Or a question could not be sure which of several inserts it has to see.
    "insert_quorum_parallel": 0,
    "select_sequential_consistency": 1,
    # Confirmed by the shards, and not queued on the node that was asked.
    "distributed_foreground_insert": 1,
}


class ClickHouseSettings(FileSettings):
    """Where the events end up. `url` may carry user and password; `password` may be in a file."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CLICKHOUSE_", frozen=True, use_attribute_docstrings=True
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
    cluster: str | None = None
    """The cluster's name in the servers' `remote_servers`; by default there is one node."""

    def session(self) -> dict[str, Any]:
        """What a client asks for with every statement: on a cluster, that what was confirmed is on
        two replicas, and that whoever asks sees it (docs/adr/0014)."""
        return dict(_ON_A_CLUSTER) if self.cluster else {}

    def login(self) -> dict[str, Any]:
        """Arguments of clickhouse_connect's clients, beside `dsn`; what is in them counts first."""
        login = {} if self.user is None else {"username": self.user}
        if self.password is not None:
            login["password"] = self.password.get_secret_value()
        return login


class ConsumerSettings(BaseSettings):
    """`ACTIVITY_CONSUMER_...`. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(
        env_prefix="ACTIVITY_CONSUMER_", frozen=True, use_attribute_docstrings=True
    )

    host: str = "127.0.0.1"
    """Where the health pages and metrics are served."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8001
    """The port of the health pages and metrics; 0: any free one."""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] | None = None
    """By default `/metrics` is on the port above; set, it is on this one alone."""

    # A batch grows on while it waits for its turn: under load as large as the memory lets it.
    batch_max_rows: Count = 60_000
    """A batch is written at this many rows."""
    batch_max_bytes: Count = 32 << 20
    """A batch is written at this size, in bytes."""
    batch_max_age_s: Positive = 0.4
    """A batch is written at this age, in seconds, even if it is small."""
    insert_max_concurrent: Count = 2
    """Inserts on the way at a time, over all partitions: one is parsed while another is written."""
    buffer_max_bytes: Count = 64 << 20
    """What may wait in memory, packed, over all partitions, before fetching stops; in bytes."""

    instance_id: str | None = None
    """A name that this consumer keeps over restarts (`group.instance.id`): within the session
    timeout it is the same member again. By default it is a new one each time."""
    session_timeout_s: Annotated[float, Field(ge=1)] = 10
    """Without a heartbeat for so many seconds a member is out. Also the longest lease of an insert.
    """
    heartbeat_interval_s: Positive = 0.5
    """How soon a member notices that the group shares its partitions out anew, in seconds; at most
    a quarter of the session timeout is used."""
    insert_timeout_s: Positive = 60
    """Seconds until an insert that was not answered is in doubt."""
    flush_timeout_s: Positive = 5
    """Seconds that inserts on the way may take to end when the group shares out anew, or at a stop.
    At a stop, what is in memory is written, too, as far as its insert begins within a fifth of
    them; the next owner reads the rest again."""

    id_window: Count = 200_000
    """Ids remembered, over all partitions; older ones are asked for in the table."""
    poison_limit: Count = 1000
    """So many unusable messages in a row are a broken producer or a wrong topic: stop."""
    future_limit_s: Positive = 24 * 3600
    """A timestamp further ahead than so many seconds is a broken clock."""
    # Producers send by the old count for as long as they keep it (their metadata.max.age.ms), and
    # their clocks may be off.
    change_grace_s: Positive = 3600
    """After partitions were added, ids born before that, or so many seconds after it, are asked for
    in the table, however late they come."""
    least_retention_s: Positive = 24 * 3600
    """A topic whose retention.ms is shorter is warned of: the consumer may be away for so long."""
    erasures_refresh_s: Positive = 5
    """No insert uses an older list of what is to be kept out; `activity erase` waits for it."""
    erasures_max: Count = 200_000
    """So many erasures are kept in memory, some 300 bytes each; with more the consumer stops."""
    on_retention_gap: Literal["stop", "continue"] = "stop"
    """Kafka's retention has deleted events that were never read: stop and say so, or go on."""

    @property
    def heartbeat_ms(self) -> int:
        """Between two heartbeats, milliseconds."""
        return max(1, int(min(self.heartbeat_interval_s, self.session_timeout_s / 4) * 1000))
