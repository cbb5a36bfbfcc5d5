"""How far a consumer is, by its metrics and by what the API would tell."""

from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.consumer import Consumer
from tests.support.metrics import samples


async def now(clickhouse: AsyncClient) -> Any:
    """By the engine's clock."""
    return (await clickhouse.query("SELECT now64(3)")).result_rows[0][0]


async def has(consumer: Consumer, topic: str, name: str, partition: int, value: int) -> bool:
    """A metric of a partition has this value."""
    found = samples(await consumer.page("/metrics", 200), f"activity_consumer_{name}")
    return found.get((("partition", str(partition)), ("topic", topic))) == value


async def is_through(clickhouse: AsyncClient, topic: str, instant: Any) -> bool:
    """All partitions are complete through an instant."""
    result = await clickhouse.query(
        "SELECT countIf(through >= {i:DateTime64(3)}), max(n) FROM (SELECT partition,"
        " max(complete_through) AS through, max(partitions) AS n FROM progress"
        " WHERE topic = {t:String} GROUP BY partition)",
        {"t": topic, "i": instant},
    )
    [[past, partitions]] = result.result_rows
    return bool(partitions and past == partitions)
