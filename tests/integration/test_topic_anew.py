"""A topic that is another one under the same name: it is said, and nothing is taken for rows of the
old one; once it is accepted, each of its events is there once, beside the old rows."""

import asyncio
import sys
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_deploy.process.process import Process
from tests.support.consumer import NewConsumer, event, ids, produce, rows_arrive
from tests.support.topic import anew
from tests.support.wait import wait_until

Events = list[dict[str, object]]


def some(count: int) -> Events:
    return [event(f"org-{number % 7}", seq=number) for number in range(count)]


def sorted_ids(*events: Events) -> list[str]:
    return sorted(str(one["id"]) for many in events for one in many)


async def accept(
    bootstrap: str, topic: str, url: str, database: str, *arguments: str, log: Path
) -> tuple[int | None, str]:
    """`activity topic accept`: exit status and output."""
    environment = {
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "ACTIVITY_CLICKHOUSE_URL": url,
        "ACTIVITY_CLICKHOUSE_DATABASE": database,
    }
    command = [sys.executable, "-m", "activity_deploy.cli", "topic", "accept", topic, *arguments]
    process = Process("accept", command, log, environment)
    await process.start()
    await wait_until(lambda: not process.running, 30, "the command ends")
    return process.returncode, " ".join(process.output())


def says_what_to_do(last: str, topic: str) -> None:
    assert f"topic {topic} is not the one whose events are in the table" in last
    assert f"`activity topic accept {topic}`" in last


@pytest.mark.parametrize("partitions", [4, 6])
async def test_stopped_meanwhile_and_the_new_one_has_more(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    clickhouse_url: str,
    database: str,
    new_consumer: NewConsumer,
    tmp_path: Path,
    partitions: int,
) -> None:
    old, new = some(10), some(60)
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, old)
        await rows_arrive(clickhouse, 10)
    await anew(kafka_bootstrap, topic, partitions)
    await produce(kafka_bootstrap, topic, new)
    for attempt in ("second", "third"):  # it does not learn to like it
        async with new_consumer(attempt) as refused:
            says_what_to_do(await refused.ended(), topic)
            assert refused.process.returncode == 1
    assert sorted(await ids(clickhouse)) == sorted_ids(old)
    where = kafka_bootstrap, topic, clickhouse_url, database
    status, said = await accept(*where, log=tmp_path / "accept.log")
    assert status == 0 and "accepted (generation 1)" in said
    status, said = await accept(*where, log=tmp_path / "again.log")
    assert status == 1 and "is the one that is read" in said
    more = some(20)
    async with new_consumer("accepted"):
        await rows_arrive(clickhouse, 70)
    async with new_consumer("restarted"):
        # Old ones come once more (a mirror, a service's spool), and are there already.
        await produce(kafka_bootstrap, topic, [*old, *new[:20], *more])
        await rows_arrive(clickhouse, 90)
        await _complete(clickhouse, f"{topic}#1", partitions)
    assert sorted(await ids(clickhouse)) == sorted_ids(old, new, more)
    labels = await clickhouse.query("SELECT _topic, count() FROM events GROUP BY 1 ORDER BY 1")
    assert labels.result_rows == [(topic, 10), (f"{topic}#1", 80)]


@pytest.mark.parametrize("count", [15, 60])
async def test_created_anew_while_it_is_read(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    clickhouse_url: str,
    database: str,
    new_consumer: NewConsumer,
    tmp_path: Path,
    count: int,
) -> None:
    old, new = some(25), some(count)
    async with new_consumer("first") as first:
        await produce(kafka_bootstrap, topic, old)
        await rows_arrive(clickhouse, 25)
        await anew(kafka_bootstrap, topic)
        await produce(kafka_bootstrap, topic, new)
        says_what_to_do(await first.ended(15), topic)
    where = kafka_bootstrap, topic, clickhouse_url, database
    status, said = await accept(*where, log=tmp_path / "accept.log")
    assert status == 0, said
    async with new_consumer("accepted"):
        await rows_arrive(clickhouse, 25 + count)
        await _complete(clickhouse, f"{topic}#1", 4)
    assert sorted(await ids(clickhouse)) == sorted_ids(old, new)


async def test_a_member_that_joins_later_and_a_reset_group(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    old = some(10)
    async with new_consumer("first") as first:
        await produce(kafka_bootstrap, topic, old)
        await rows_arrive(clickhouse, 10)
        await first.ready()
        await first.process.kill()
    await anew(kafka_bootstrap, topic)
    await produce(kafka_bootstrap, topic, some(40))
    group = {"variables": {"ACTIVITY_KAFKA_GROUP_ID": f"another-{topic}"}}
    async with new_consumer("one", **group) as one, new_consumer("two", **group) as two:
        last = await asyncio.gather(one.ended(), two.ended())
    for words in last:
        says_what_to_do(words, topic)
    assert sorted(await ids(clickhouse)) == sorted_ids(old)


async def test_a_topic_whose_id_nobody_wrote_down_is_known_by_a_message(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    clickhouse_url: str,
    database: str,
    new_consumer: NewConsumer,
    tmp_path: Path,
) -> None:
    """As after an update, with a broker without topic ids, or a cluster restored from a copy."""
    old, new = some(10), some(60)
    async with new_consumer("first"):
        await produce(kafka_bootstrap, topic, old)
        await rows_arrive(clickhouse, 10)
    await clickhouse.command("TRUNCATE TABLE topic_incarnations")
    async with new_consumer("trusts"):  # the same topic: it goes on
        await produce(kafka_bootstrap, topic, some(1))
        await rows_arrive(clickhouse, 11)
    await clickhouse.command("TRUNCATE TABLE topic_incarnations")
    await anew(kafka_bootstrap, topic)
    await produce(kafka_bootstrap, topic, new)
    for attempt in ("second", "third"):
        async with new_consumer(attempt) as refused:
            last = await refused.ended()
            says_what_to_do(last, topic)
            assert "and the table has" in last
    assert len(await ids(clickhouse)) == 11
    where = kafka_bootstrap, topic, clickhouse_url, database
    status, said = await accept(*where, log=tmp_path / "accept.log")
    assert status == 1 and "--force" in said
    status, said = await accept(*where, "--force", log=tmp_path / "force.log")
    assert status == 0, said
    async with new_consumer("accepted"):
        await rows_arrive(clickhouse, 71)
    assert len(set(await ids(clickhouse))) == len(await ids(clickhouse)) == 71
    assert set(sorted_ids(new)) <= set(await ids(clickhouse))


async def _complete(clickhouse: AsyncClient, label: str, partitions: int) -> None:
    async def told() -> bool:
        result = await clickhouse.query(
            "SELECT uniqExact(partition), max(partitions) FROM progress WHERE topic = {t:String}",
            {"t": label},
        )
        return bool(result.result_rows[0] == (partitions, partitions))

    await wait_until(told, 20, f"{label} tells its progress")
