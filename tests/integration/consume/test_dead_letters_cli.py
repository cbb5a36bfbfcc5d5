"""`activity dlq` as people type it."""

import asyncio
import base64
import json

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.ports import free_ports
from tests.support.consumer import (
    NewConsumer,
    event,
    message,
    messages,
    produce_raw,
)
from tests.support.dlq import Dlq
from tests.support.wait import wait_until


async def test_from_list_to_replay(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer, dlq: Dlq
) -> None:
    poison = b'{"a": "[red]\x1b[31m\xff"}'
    values = [message(event(schema_version=2)), poison, None]
    async with new_consumer() as consumer:
        await consumer.ready()
        await produce_raw(kafka_bootstrap, topic, values, key=b"acme", headers=[("h", b"1")])
        await wait_until(lambda: _letters(clickhouse, 3), 20, "3 letters")

    listed, shown, raw, lines, line, counted = await asyncio.gather(
        dlq("list", "--reason", "unsupported_schema_version"),
        dlq("show", f"{topic}/0/1"),
        dlq("show", f"{topic}/0/1", "--raw"),
        dlq("list", "--json", COLUMNS="30"),
        dlq("show", f"{topic}/0/0", "--json"),
        dlq("count"),
    )
    text = listed[1].decode()
    assert f"{topic}/0/0" in text
    assert "schema_version 2" in text
    assert "1 of 1 dead letters" in text
    text = shown[1].decode()
    assert "reason       invalid_utf8" in text
    assert "key          acme" in text
    assert "header       h: 1" in text
    assert r'{"a": "[red]\x1b[31m\xff"}' in text
    assert raw == (0, poison, "")
    read = {one["offset"]: one for one in map(json.loads, lines[1].splitlines())}
    assert [read[offset]["id"] for offset in range(3)] == [f"{topic}/0/{n}" for n in range(3)]
    encoded = [read[offset]["value_base64"] for offset in range(3)]
    assert [one and base64.b64decode(one) for one in encoded] == values
    assert json.loads(line[1]) == read[0]
    assert (read[0]["key"], read[0]["headers"][0]["value"]) == ("acme", "1")
    assert counted[1].endswith(b"3 dead letters\n")
    assert b"invalid_utf8" in counted[1]

    status, output, _ = await dlq("replay", "--all", "--dry-run")
    assert (status, output) == (0, b"3 dead letters would be replayed\n")
    status, output, _ = await dlq("replay", f"{topic}/0/0")
    assert (status, output) == (0, b"1 dead letter replayed\n")
    again, dropped = await asyncio.gather(
        dlq("replay", f"{topic}/0/0"), dlq("drop", "--all", "--reason", "null_value")
    )
    assert again[1].decode() == f"{topic}/0/0 is replayed already\n0 dead letters replayed\n"
    assert dropped[1] == b"1 dead letter dropped\n"
    sent = await messages(kafka_bootstrap, topic, 4)
    assert (sent[-1].key, sent[-1].value) == (b"acme", values[0])
    assert (await dlq("list", "--status", "waiting"))[1].endswith(b"1 of 1 dead letters\n")


async def test_what_is_wrong_is_said_in_a_line(topic: str, dlq: Dlq) -> None:
    answers = await asyncio.gather(dlq("show", "events/0/x"), dlq("show", f"{topic}/0/1"))
    for status, output, errors in answers:
        assert (status, output, errors.count("\n")) == (1, b"", 1)
    syntax, unknown = (errors for _, _, errors in answers)
    assert syntax.startswith("activity: 'events/0/x' is no dead letter's id")
    assert unknown == (
        f"activity: there is no dead letter {topic}/0/1; `activity dlq list` shows what there is\n"
    )


async def test_clickhouse_or_kafka_away(clickhouse: AsyncClient, topic: str, dlq: Dlq) -> None:
    columns = ["source_topic", "source_partition", "source_offset", "value"]
    await clickhouse.insert("dead_letters", [(topic, 0, 0, b"x")], columns)
    [port] = free_ports(1)
    nowhere = f"127.0.0.1:{port}"
    without_clickhouse, without_kafka, no_database = await asyncio.gather(
        dlq("list", ACTIVITY_CLICKHOUSE_URL=f"http://somebody:secret@{nowhere}"),
        dlq("replay", "--all", ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=nowhere),
        dlq("list", ACTIVITY_CLICKHOUSE_DATABASE="not_migrated"),
    )
    for status, output, errors in (without_clickhouse, without_kafka, no_database):
        assert (status, output, errors.count("\n")) == (1, b"", 1)
        assert "secret" not in errors
    assert without_clickhouse[2].startswith(f"activity: ClickHouse at {nowhere}: ")
    assert "ACTIVITY_CLICKHOUSE_URL" in without_clickhouse[2]
    assert without_kafka[2].startswith(f"activity: Kafka at {nowhere}: ")
    assert "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS" in without_kafka[2]
    assert "not_migrated" in no_database[2]
    assert (await dlq("list", "--status", "waiting"))[1].endswith(b"1 of 1 dead letters\n")


async def _letters(clickhouse: AsyncClient, count: int) -> bool:
    result = await clickhouse.query("SELECT count() FROM dead_letters FINAL")
    return bool(result.result_rows == [(count,)])
