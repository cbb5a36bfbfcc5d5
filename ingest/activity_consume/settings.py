"""Settings of the consumer, from environment variables: of ClickHouse, and its own."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class ClickHouseSettings(BaseSettings):
    """Where the events end up. `url` may carry user and password."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_CLICKHOUSE_", frozen=True)

    url: str = "http://127.0.0.1:8123"
    database: str = "activity"


class ConsumerSettings(BaseSettings):
    """`ACTIVITY_CONSUMER_...`. Times in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="ACTIVITY_CONSUMER_", frozen=True)

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8001

    #: A batch is due at this size, and at this age even if it is small. It grows on while it waits
    #: for its turn, so under load batches are as large as the memory lets them.
    batch_max_rows: Count = 60_000
    batch_max_bytes: Count = 32 << 20
    batch_max_age_s: Positive = 0.4
    #: Inserts on the way at a time, over all partitions: one is parsed while another is written.
    insert_max_concurrent: Count = 2
    #: What may wait in memory, packed, over all partitions, before fetching stops.
    buffer_max_bytes: Count = 64 << 20

    #: Without a heartbeat for this long a member is out. Also the longest lease of an insert.
    session_timeout_s: Annotated[float, Field(ge=1)] = 10
    insert_timeout_s: Positive = 60
    #: How long a partition that is taken away may use to write what it has in memory.
    flush_timeout_s: Positive = 5

    #: Ids remembered, over all partitions; older ones are asked for in the table.
    id_window: Count = 200_000
    #: So many unusable messages in a row are a broken producer or a wrong topic: stop.
    poison_limit: Count = 1000
    #: A timestamp further ahead than this is a broken clock.
    future_limit_s: Positive = 24 * 3600
    #: After partitions were added, producers send by the old count for as long as they keep it
    #: (their metadata.max.age.ms), and their clocks may be off: ids born before the change, or this
    #: long after it, are asked for in the table, however late they come.
    change_grace_s: Positive = 3600
    #: A topic whose retention.ms is shorter is warned of: the consumer may be away for so long.
    least_retention_s: Positive = 24 * 3600
    #: Kafka's retention has deleted events that were never read: stop and say so, or go on.
    on_retention_gap: Literal["stop", "continue"] = "stop"
