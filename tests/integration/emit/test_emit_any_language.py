"""The examples in other languages: what they send is an event, from the JSON Schema alone."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import jsonschema
from aiokafka import ConsumerRecord
from aiokafka.partitioner import murmur2
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.jars import directory as jars
from activity_deploy.kafka.java import java
from tests.integration.emit.harness import read
from tests.integration.kcat import kcat_environment
from tests.support.consumer import NewConsumer, rows_arrive
from tests.support.kafka import PARTITIONS

ROOT = Path(__file__).parents[3]
SCHEMA = json.loads((ROOT / "schemas" / "activity-event.v1.schema.json").read_text())
ORG, JOB = 'acme "2"', "nightly export"


async def run(*command: object, environment: dict[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment},
        cwd=ROOT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def event_of(record: ConsumerRecord[bytes, bytes]) -> dict[str, Any]:
    """The record's event, valid, and where an event of its org belongs."""
    event: dict[str, Any] = json.loads(record.value)
    jsonschema.validate(event, SCHEMA, format_checker=jsonschema.FormatChecker())
    assert record.key == ORG.encode()
    assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS
    assert (event["org_id"], event["resource_id"], event["seq"]) == (ORG, JOB, 0)
    assert event["id"][14] == "7"
    return event


async def test_what_other_languages_send_is_in_the_table(
    kafka_bootstrap: str,
    topic: str,
    tmp_path: Path,
    clickhouse: AsyncClient,
    new_consumer: NewConsumer,
) -> None:
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": kafka_bootstrap,
        "ACTIVITY_KAFKA_TOPIC": topic,
        **kcat_environment(tmp_path),
    }
    await asyncio.gather(
        run("examples/kcat.sh", ORG, JOB, environment=environment),
        run(java(), "-cp", f"{jars()}/*", "examples/Emit.java", ORG, JOB, environment=environment),
    )
    events = [event_of(record) for record in await read(kafka_bootstrap, topic, 2)]
    assert len({event["id"] for event in events}) == 2
    assert len({event["producer_id"] for event in events}) == 2
    async with new_consumer():
        await rows_arrive(clickhouse, 2)
    rows = await clickhouse.query(
        "SELECT count() FROM events WHERE org_id = {o:String}", {"o": ORG}
    )
    assert rows.result_rows == [(2,)]
