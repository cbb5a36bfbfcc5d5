"""Without a broker: the consumer reads the spools of the machine's services."""

import functools
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_emit import EmitSettings, KafkaPublisher, SpoolSettings
from activity_kafka.settings import TransportSettings
from activity_spool.progress import DIRECTORY
from activity_spool.spool import Spool, open_spool
from tests.support.consumer import event, ids, message, rows_arrive
from tests.support.dlq import Dlq
from tests.support.query import api, bearer, settings
from tests.support.wait import wait_until

NewSpoolConsumer = Callable[..., Process]


@pytest.fixture
def new_spool_consumer(clickhouse_url: str, database: str, tmp_path: Path) -> NewSpoolConsumer:
    """Consumers of `tmp_path / "spool"` into this test's database."""

    def make(name: str = "consumer", **settings: object) -> Process:
        environment = {
            "ACTIVITY_TRANSPORT": "spool",
            "ACTIVITY_SPOOL_DIR": str(tmp_path / "spool"),
            "ACTIVITY_CLICKHOUSE_URL": clickhouse_url,
            "ACTIVITY_CLICKHOUSE_DATABASE": database,
            "ACTIVITY_CONSUMER_PORT": str(free_ports(1)[0]),
            "ACTIVITY_CONSUMER_SESSION_TIMEOUT_S": "2",
            **{f"ACTIVITY_CONSUMER_{key.upper()}": str(value) for key, value in settings.items()},
        }
        command = [sys.executable, "-m", "activity_consume"]
        return Process(name, command, tmp_path / f"{name}.log", environment)

    return make


def fill(spool: Spool, events: list[dict[str, Any]], per_row: int = 7) -> None:
    for start in range(0, len(events), per_row):
        some = events[start : start + per_row]
        assert spool.append(b"\n".join(message(one) for one in some), len(some))


def _has_ended(consumer: Process) -> bool:
    return not consumer.running


async def test_events_of_two_services_arrive_once_over_a_kill(
    clickhouse: AsyncClient, new_spool_consumer: NewSpoolConsumer, tmp_path: Path
) -> None:
    directory = tmp_path / "spool" / DIRECTORY
    events = [event(f"org-{number % 5}", seq=number) for number in range(4000)]
    alive = open_spool(directory, "alive", 1 << 30)
    dead = open_spool(directory, "dead", 1 << 30)
    fill(alive, events[:1500])
    fill(dead, events[1500:3000])
    dead.close()  # its service has died: what it held is there, and nobody holds the lock
    first = new_spool_consumer("first", batch_max_rows=100)
    await first.start()
    await rows_arrive(clickhouse, 300)
    await first.kill()
    fill(alive, events[3000:])
    second = new_spool_consumer("second")
    await second.start()
    await rows_arrive(clickhouse, 4000)
    await wait_until(lambda: not (directory / "dead.spool").exists(), 20, "the dead one's removal")
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
    assert (directory / "alive.spool").exists()
    await second.stop()
    assert second.returncode == 0
    alive.close()


@pytest.mark.parametrize("worker", ["process", "thread"])
async def test_a_publisher_hands_its_spool_over(
    clickhouse: AsyncClient, new_spool_consumer: NewSpoolConsumer, tmp_path: Path, worker: str
) -> None:
    directory = tmp_path / "spool"
    consumer = new_spool_consumer()
    await consumer.start()
    publisher = KafkaPublisher(
        emit=EmitSettings(worker="process" if worker == "process" else "thread"),
        spool=SpoolSettings(dir=directory),
        transport=TransportSettings(transport="spool"),
    )
    async with publisher:
        for number in range(500):
            publisher.record(org_id="acme", action="execute", execution_id=f"x{number}")
        await rows_arrive(clickhouse, 500)
    result = await clickhouse.query("SELECT uniqExact(execution_id), count() FROM events")
    assert result.result_rows == [(500, 500)]
    # What is in the table is forgotten: an empty spool leaves no file.
    assert not list((directory / DIRECTORY).glob("*.spool"))
    await consumer.stop()


async def test_a_second_consumer_of_the_same_spools_is_told_so(
    new_spool_consumer: NewSpoolConsumer, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    spool = open_spool(tmp_path / "spool" / DIRECTORY, "service", 1 << 30)
    fill(spool, [event()])
    first, second = new_spool_consumer("first"), new_spool_consumer("second")
    await first.start()
    await rows_arrive(clickhouse, 1)
    await second.start()
    await wait_until(lambda: not second.running, 20, "the second one's end")
    assert second.returncode == 1
    assert "another consumer holds" in second.output()[-1]
    await first.stop()
    spool.close()


async def test_poison_stops_it_until_somebody_says_go_on(
    new_spool_consumer: NewSpoolConsumer, clickhouse: AsyncClient, dlq: Dlq, tmp_path: Path
) -> None:
    spool = open_spool(tmp_path / "spool" / DIRECTORY, "service", 1 << 30)
    good = [event(seq=number) for number in range(2)]
    lines = [message(good[0]), *[b"nonsense"] * 30, message(good[1])]
    assert spool.append(b"\n".join(lines), len(lines))
    for name in ("first", "second"):
        consumer = new_spool_consumer(name, poison_limit=20)
        await consumer.start()
        await wait_until(functools.partial(_has_ended, consumer), 30, "it stops")
        assert consumer.returncode == 1
        last = consumer.output()[-1]
        assert "spool:service-0: 20 messages in a row are no events, offsets" in last
        assert await ids(clickhouse) == [good[0]["id"]]
        letters = await clickhouse.query("SELECT count() FROM dead_letters")
        assert letters.result_rows == [(20,)]
    [_, letter] = re.findall(r"(activity dlq accept) (spool:service/0/\d+)", last)[0]
    assert (await dlq("accept", letter))[0] == 0
    consumer = new_spool_consumer("third", poison_limit=20)
    await consumer.start()
    await rows_arrive(clickhouse, 2)
    await consumer.stop()
    letters = await clickhouse.query("SELECT count() FROM dead_letters")
    assert letters.result_rows == [(30,)]
    spool.close()


async def test_what_is_no_event_is_a_row_of_dead_letters(
    new_spool_consumer: NewSpoolConsumer, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    spool = open_spool(tmp_path / "spool" / DIRECTORY, "service", 1 << 30)
    good = [event(seq=number) for number in range(2)]
    lines = [message(good[0]), json.dumps({"org_id": ""}).encode(), message(good[1])]
    assert spool.append(b"\n".join(lines), 3)
    consumer = new_spool_consumer()
    await consumer.start()
    await rows_arrive(clickhouse, 2)
    letters = await clickhouse.query("SELECT source_topic, reason, value FROM dead_letters FINAL")
    assert letters.result_rows == [("spool:service", "invalid_event", '{"org_id": ""}')]
    await consumer.stop()
    spool.close()


async def test_the_feed_has_what_came_from_a_spool_that_is_gone(
    clickhouse: AsyncClient,
    clickhouse_url: str,
    database: str,
    new_spool_consumer: NewSpoolConsumer,
    tmp_path: Path,
) -> None:
    """Nobody takes it over who could tell later how far it was read."""
    directory = tmp_path / "spool" / DIRECTORY
    spool = open_spool(directory, "gone", 1 << 30)
    sent = [event("o", seq=number) for number in range(40)]
    fill(spool, sent)
    spool.close()
    consumer = new_spool_consumer()
    await consumer.start()
    try:
        await rows_arrive(clickhouse, 40)
        await wait_until(lambda: not [*directory.glob("*.spool")], 60, "the spool is gone")
    finally:
        await consumer.stop()
    async with api(settings(clickhouse_url, database)) as client:
        found = await client.get("/v1/orgs/o/activity/feed", headers=bearer("o"))
    assert [one["id"] for one in found.json()["activities"]] == [one["id"] for one in sent]
