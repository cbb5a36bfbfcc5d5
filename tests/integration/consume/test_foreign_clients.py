"""Real producers of other makers, all at once on one topic: every codec, partitioner and kind of
transaction. What was committed is there once, as it was sent; what was aborted is not."""

import asyncio
import itertools
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka.partitioner import murmur2

from activity_deploy.kafka.topics import Topic, create, delete
from activity_deploy.migration_run import migrate
from tests.integration.foreign.clients import CLIENTS, Client
from tests.integration.foreign.plan import DEFAULT, Producer, last_of_each_partition, producers
from tests.support.clickhouse import connect
from tests.support.consumer import Consumer
from tests.support.progress import has, is_through, now
from tests.support.record_batches import RecordBatch, record_batches
from tests.support.wait import wait_until

PARTITIONS = 6
HERE = [one for one in CLIENTS if one.is_here]
#: Any record timestamp, and kept: some are of 1970.
CONFIGURATION = {"message.timestamp.after.max.ms": str(2**63 - 1), "retention.ms": "-1"}

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sent:
    """What each client was told to send, what is on the topic, and what is in the table."""

    producers: dict[str, list[Producer]]
    batches: list[RecordBatch]
    rows: list[Row]
    letters: int

    def rows_of(self, client: str) -> list[Row]:
        return [row for row in self.rows if row["producer_id"].startswith(f"{client}-")]


@pytest.fixture(scope="module")
async def sent(
    kafka_bootstrap: str, clickhouse_url: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sent]:
    """Everything, through one consumer: it is read while it is sent."""
    topic, directory = f"foreign-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("foreign")
    for client in HERE:
        await client.make()
    await create(
        kafka_bootstrap, [Topic(topic, PARTITIONS, CONFIGURATION), Topic(f"{topic}.dlq", 1)]
    )
    database = f"test_{uuid.uuid4().hex}"
    async with await connect(clickhouse_url, "default") as admin:
        await migrate(admin, database)
        where = kafka_bootstrap, topic, clickhouse_url, database
        async with Consumer(*where, directory / "consumer.log") as consumer:
            await consumer.ready()
            plans = await _send(kafka_bootstrap, topic, directory)
            async with await connect(clickhouse_url, database) as clickhouse:
                instant = await now(clickhouse)
                batches = await record_batches(kafka_bootstrap, topic, PARTITIONS)
                for number in range(PARTITIONS):
                    end = max(one.next_offset for one in batches if one.partition == number)
                    for metric, value in (("settled_offset", end), ("lag", 0)):
                        await wait_until(
                            lambda n=number, m=metric, v=value: has(consumer, topic, m, n, v),  # type: ignore[misc]
                            30,
                            f"{metric} of {number} is {value}",
                        )
                await wait_until(
                    lambda: is_through(clickhouse, topic, instant), 20, "the watermark goes on"
                )
                await consumer.ready()
                rows = await clickhouse.query(
                    "SELECT toString(id) AS id, toUnixTimestamp64Micro(timestamp) AS micros,"
                    " org_id, path, producer_id, seq, metadata, _partition AS partition FROM events"
                )
                letters = await clickhouse.query("SELECT count() FROM dead_letters")
                gaps = await clickhouse.query("SELECT * FROM event_gaps")
        assert gaps.result_rows == []
        yield Sent(plans, batches, list(rows.named_results()), letters.result_rows[0][0])
        await admin.command(f"DROP DATABASE {database} SYNC")
    await delete(kafka_bootstrap, [topic, f"{topic}.dlq"])


async def _send(bootstrap: str, topic: str, directory: Any) -> dict[str, list[Producer]]:
    plans = {
        one.name: producers(one.name, one.codecs, one.partitioners, PARTITIONS) for one in HERE
    }
    async with asyncio.TaskGroup() as group:
        for one in HERE:
            group.create_task(one.send(bootstrap, topic, plans[one.name], directory))
    last = last_of_each_partition(HERE[0].name, PARTITIONS)
    await HERE[0].send(bootstrap, topic, last, directory)
    plans[HERE[0].name] += last
    return plans


@pytest.fixture(params=CLIENTS, ids=lambda one: one.name)
def client(request: pytest.FixtureRequest) -> Client:
    one: Client = request.param
    if not one.is_here:
        pytest.skip(f"{one.name} is not tried: there is no {one.needs} here")
    return one


def test_what_was_committed_is_there_once_and_unchanged(sent: Sent, client: Client) -> None:
    expected = {
        record.event["id"]: {**record.event, "partition": record.partition}
        for producer in sent.producers[client.name]
        if not producer.is_aborted
        for record in producer.records
    }
    rows = sent.rows_of(client.name)
    copies = Counter(row["id"] for row in rows)
    assert copies.keys() - expected.keys() == set(), "aborted, and there"
    assert expected.keys() - copies.keys() == set(), "missing"
    assert [one for one, count in copies.items() if count > 1] == [], "there twice"
    for row in rows:
        wanted = expected[row["id"]]
        if wanted["partition"] < 0:  # it was the partitioner's to choose
            wanted["partition"] = row["partition"]
        assert row == wanted
    assert len(rows) == len(expected) > 150


def test_its_codecs_and_transactions_were_really_used(sent: Sent, client: Client) -> None:
    """Else the test above would be about less than it says. An aborted batch is there, too."""
    codecs = {value: batch for batch in sent.batches for value in batch.values}
    for producer in sent.producers[client.name]:
        for record in producer.records:
            batch = codecs[record.value]
            assert batch.codec == producer.codec, producer.id
            assert batch.is_transactional == bool(producer.transaction), producer.id
    kinds = {(one.codec, one.transaction) for one in sent.producers[client.name]}
    assert kinds == set(itertools.product(client.codecs, ("", "commit", "abort")))


def test_its_partitioners_were_really_used(sent: Sent, client: Client) -> None:
    """By its default a key is where Java's client has it, or, by librdkafka's, mostly elsewhere."""
    key = {
        record.event["id"]: record.key
        for producer in sent.producers[client.name]
        for record in producer.records
        if producer.partitioner == DEFAULT and record.partition < 0 and record.key
    }
    rows = [row for row in sent.rows_of(client.name) if row["id"] in key]
    as_java = [
        row["partition"] == (murmur2(key[row["id"]]) & 0x7FFFFFFF) % PARTITIONS for row in rows
    ]
    assert len(rows) > 50
    assert all(as_java) if client.murmur2 else not all(as_java)
    others = {one.partitioner for one in sent.producers[client.name]} - {DEFAULT}
    assert others == set(client.partitioners)


def test_the_last_thing_of_each_partition_is_a_marker(sent: Sent) -> None:
    last = {one.partition: one for one in sent.batches}
    assert [last[number].is_marker for number in range(PARTITIONS)] == [True] * PARTITIONS


def test_nothing_is_a_dead_letter_and_nobody_else_sent(sent: Sent) -> None:
    assert sent.letters == 0
    committed = [
        record
        for many in sent.producers.values()
        for one in many
        if not one.is_aborted
        for record in one.records
    ]
    assert len(sent.rows) == len(committed)
