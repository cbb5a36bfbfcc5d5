"""Generated events on their way into the table, and what a consumer would have told of them."""

from collections.abc import AsyncIterator, Mapping

from clickhouse_connect.driver.asyncclient import AsyncClient

TOPIC, BUCKETS = "generated", 4
#: Of one statement: a part for each bucket and month it touches, and some hundred MB of memory.
CHUNK = 500_000


async def fill(
    client: AsyncClient, sql: str, rows: int, base: int, values: Mapping[str, float]
) -> AsyncIterator[int]:
    """Yields how many more are in, and settled: without that the feed would not show them. `sql`
    makes `count` events from number `first` on, of those that begin with number `base`; `values`:
    its other parameters. Raises ClickHouseError."""
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        places = {"rows": rows, "base": base, "first": first, "count": count}
        await client.command(sql, parameters={**values, **places})
        settled = [[TOPIC, bucket, base + first + count] for bucket in range(BUCKETS)]
        await client.insert("settled_offsets", settled, ["topic", "partition", "offset"])
        yield count
