"""Generated events on their way into the table, and what a consumer would have told of them."""

from collections.abc import AsyncIterator, Mapping

from clickhouse_connect.driver.asyncclient import AsyncClient

TOPIC, BUCKETS = "generated", 4
#: Of one statement: a part for each bucket and month it touches, and some hundred MB of memory.
CHUNK = 500_000


async def fill(
    client: AsyncClient, sql: str, rows: int, base: int, values: Mapping[str, float]
) -> AsyncIterator[int]:
    """Yields how many more are in, and settled: without that the feed would not show them. `sql`: a
    SELECT without FROM, of a row's `number` (`first` and so on, of those that begin with `base`):
    the event's fields by their names, `metadata` as JSON, `place` (its offset) and `arrived_ms`
    (Unix); `values`: its parameters. Raises ClickHouseError."""
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        places = {"rows": rows, "base": base, "first": first, "count": count}
        await client.command(_insert(sql), parameters={**values, **places})
        settled = [[TOPIC, bucket, base + first + count] for bucket in range(BUCKETS)]
        await client.insert("settled_offsets", settled, ["topic", "partition", "offset"])
        yield count


def _insert(events: str) -> str:
    """As a consumer does it: `message` is the event as JSON."""
    return f"""\
INSERT INTO events (message, _topic, _partition, _offset, _base_offset, _lease, _ingested_at)
SELECT
    concat(substring(formatRowNoNewline('JSONEachRow', * EXCEPT (metadata, place, arrived_ms))
        AS json, 1, length(json) - 1), ',"metadata":', metadata, '}}'),
    '{TOPIC}', kafkaMurmurHash(org_id) % {BUCKETS}, place,
    {{first:UInt64}} + {{base:UInt64}}, now64(3) + 3600,
    fromUnixTimestamp64Milli(toInt64(arrived_ms), 'UTC')
FROM
(
{events}
FROM numbers({{first:UInt64}}, {{count:UInt64}})
)
SETTINGS date_time_output_format = 'iso', output_format_json_quote_64bit_integers = 0,
    output_format_json_escape_forward_slashes = 0,
    min_insert_block_size_rows = {CHUNK}, min_insert_block_size_bytes = 0,
    max_insert_threads = 1"""  # noqa: S608 - constants and placeholders
