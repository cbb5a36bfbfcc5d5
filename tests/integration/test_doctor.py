"""`activity doctor` on a real stack, and where everything is away."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.kafka.topics import delete
from activity_deploy.process.ports import free_ports
from tests.support.consumer import NewConsumer, event, produce, produce_raw, rows_arrive
from tests.support.dlq import of_tables, of_topic
from tests.support.wait import wait_until

SECRET = "correct-horse-battery-staple"
#: So that no stack of this machine is meant by accident.
NOWHERE = "127.0.0.1:1"


async def doctor(folder: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and output; without a stack trace, whatever is wrong."""
    nobody, none = free_ports(2)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "activity_deploy.cli", "doctor", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "ACTIVITY_CONSUMER_PORT": str(nobody),
            "ACTIVITY_API_PORT": str(none),
            **environment,
        },
    )
    out, err = await process.communicate()
    assert err == b"", err
    return process.returncode or 0, out.decode()


async def findings(folder: Path, **environment: str) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """By what was looked at."""
    status, out = await doctor(folder, "--json", **environment)
    read = json.loads(out)
    assert read["status"] == status
    found: dict[str, list[dict[str, Any]]] = {}
    for one in read["findings"]:
        found.setdefault(one["check"], []).append(one)
    return status, found


async def test_everything_away_is_a_readable_answer(tmp_path: Path) -> None:
    began = time.monotonic()
    status, out = await doctor(
        tmp_path,
        ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=NOWHERE,
        ACTIVITY_CLICKHOUSE_URL=f"http://ann:{SECRET}@{NOWHERE}",
        ACTIVITY_JWT_KEY=SECRET,
        ACTIVITY_LOG_LEVEL="loud\r\nok all is well",
    )
    assert status == 2
    assert time.monotonic() - began < 120
    assert SECRET not in out
    assert "Traceback" not in out
    lines = out.splitlines()
    assert all(line.split()[0] in ("ok", "skipped", "warning", "broken") for line in lines)
    assert not any(line.startswith("ok all is well") for line in lines)
    for words in (
        ("broken", "settings: ACTIVITY_LOG_LEVEL="),
        ("ok", "settings: ACTIVITY_JWT_KEY=*** (set)"),
        ("broken", f"broker: {NOWHERE}"),
        ("skipped", "lag: Kafka is away"),
        ("broken", f"engine: http://***@{NOWHERE}"),
        ("skipped", "schema: ClickHouse is away"),
        ("warning", "consumer: nobody answers"),
        ("warning", "api: nobody answers"),
    ):
        assert any(all(word in line for word in words) for line in lines), (words, out)
    assert all(" -> " in line for line in lines if line.startswith(("warning", "broken")))


async def test_a_stack_that_is_well_and_one_that_is_not(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    database: str,
    *,
    clickhouse_url: str,
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    around = of_topic(kafka_bootstrap, topic) | of_tables(clickhouse_url, database)
    async with new_consumer() as consumer:
        await consumer.ready()
        await produce(kafka_bootstrap, topic, [event(seq=0)])
        await rows_arrive(clickhouse, 1)
        around["ACTIVITY_CONSUMER_PORT"] = str(consumer.port)

        async def is_well() -> dict[str, list[dict[str, Any]]] | None:
            _, found = await findings(tmp_path, **around)
            well = all(
                one["level"] == "ok" for check in EVERY for one in found.get(check, [{"level": ""}])
            )
            return found if well else None

        found = await wait_until(is_well, 120, "all is well")
        assert "4 partitions" in found["topics"][0]["text"]
        assert "retention.ms=" in found["topics"][0]["text"]
        assert "1 members" in found["group"][0]["text"]

        await produce_raw(kafka_bootstrap, topic, [b"{"])
        await produce(kafka_bootstrap, topic, [event(seq=3)])
        await rows_arrive(clickhouse, 2)
        await clickhouse.command("ALTER TABLE events DROP PROJECTION by_user")
        await wait_until(lambda: _letters(clickhouse), 60, "it is a dead letter")
    await delete(kafka_bootstrap, [f"{topic}.dlq"])
    status, found = await findings(tmp_path, **around)
    assert status == 2
    told = {
        check: (one["level"], one["text"])
        for check, all_ in found.items()
        for one in all_
        if one["level"] != "ok"
    }
    assert told["topics"] == ("broken", f"{topic}.dlq does not exist")
    assert told["group"][0] == "broken"  # nobody is in it
    assert told["schema"] == ("broken", "table events: projection by_user is missing")
    assert told["dead letters"] == ("warning", "1 malformed_json are waiting")
    assert told["gaps"] == ("warning", "2 events of 1 producers are missing")
    assert told["consumer"][0] == "warning"
    assert "duplicates" not in told


EVERY = (
    *("broker", "topics", "group", "lag", "engine", "clock", "schema", "grants", "watermark"),
    *("dead letters", "poison", "gaps", "duplicates", "consumer"),
)


async def _letters(clickhouse: AsyncClient) -> int:
    return int((await clickhouse.query("SELECT count() FROM dead_letters")).result_rows[0][0])


async def test_a_database_without_tables_is_not_migrated(
    kafka_bootstrap: str, clickhouse_url: str, tmp_path: Path
) -> None:
    status, found = await findings(
        tmp_path,
        ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
        ACTIVITY_CLICKHOUSE_URL=clickhouse_url,
        ACTIVITY_CLICKHOUSE_DATABASE="never_made",
    )
    assert status == 2
    [schema] = found["schema"]
    assert schema["level"] == "broken"
    assert "0001_events" in schema["text"]
    assert schema["todo"] == "run `activity migrate`"
