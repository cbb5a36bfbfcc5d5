"""The consumer a tutorial shows: FastStream's batch subscriber, a list of pydantic models, and
`client.insert(rows)`. No protections; FastStream's and aiokafka's defaults, so a batch is what one
fetch brings (1 MiB per partition, some 1400 events each).
"""

import asyncio
import os

import clickhouse_connect
import orjson
from clickhouse_connect.driver.asyncclient import AsyncClient
from faststream import FastStream
from faststream.kafka import KafkaBroker
from pydantic import ConfigDict

from activity_schemas.event import ActivityEvent
from tests.bench.tutorial_table import COLUMNS, TABLE


class Activity(ActivityEvent):
    """The same model, not strict: FastStream reads the JSON and hands pydantic what it found."""

    model_config = ConfigDict(strict=False)


broker = KafkaBroker(os.environ["BENCH_BOOTSTRAP"])
app = FastStream(broker)


def row(event: ActivityEvent) -> list[object]:
    """The event's values in the order of COLUMNS."""
    fields = event.model_dump(exclude={"success"})
    fields["metadata"] = orjson.dumps(event.metadata).decode()
    for name in ActivityEvent.model_fields:
        if fields[name] is None and name not in ("stages_completed", "total_stages"):
            fields[name] = ""
    return [*fields.values()]


clients: list[AsyncClient] = []


@app.on_startup
async def connect() -> None:
    """One client for all batches."""
    client = await clickhouse_connect.get_async_client(
        dsn=os.environ["BENCH_URL"], database=os.environ["BENCH_DATABASE"]
    )
    clients.append(client)


@app.after_startup
async def ready() -> None:
    """Said to the benchmark."""
    print("ready", flush=True)  # noqa: T201


@broker.subscriber(
    os.environ["BENCH_TOPIC"],
    batch=True,
    group_id=os.environ["BENCH_GROUP"],
    auto_offset_reset="earliest",
)
async def consume(events: list[Activity]) -> None:
    """One insert per batch."""
    [client] = clients
    await client.insert(TABLE, [row(event) for event in events], column_names=COLUMNS)


if __name__ == "__main__":
    asyncio.run(app.run())
