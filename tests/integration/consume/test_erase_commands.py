"""`activity erase` beside a consumer: gone everywhere, and not coming back by any way."""

import functools
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.erasure.scope import Scope
from activity_consume.record import TopicPartition
from activity_deploy.forget.dead_letter_topic import MOVED, DeadLetterTopic
from activity_deploy.forget.erase import rules_of
from activity_deploy.forget.topics import Found, judge_letter, read
from tests.support.consumer import (
    PATIENCE_S,
    SESSION_TIMEOUT_S,
    Consumer,
    NewConsumer,
    event,
    ids,
    produce,
    produce_raw,
    rows_arrive,
)
from tests.support.dlq import Command
from tests.support.forget import gaps, number
from tests.support.topic import dead_letter_access
from tests.support.wait import wait_until

Events = list[dict[str, Any]]
FAST = {"erasures_refresh_s": 0.3, "session_timeout_s": SESSION_TIMEOUT_S}
IN_STEP = {f"ACTIVITY_CONSUMER_{name.upper()}": str(value) for name, value in FAST.items()}


def some(first: int, count: int, **facts: Any) -> Events:
    """Of one producer, whose even numbers are ada's and odd ones bob's."""
    return [
        event("acme", user_id=("ada", "bob")[seq % 2], producer_id="p", seq=seq, **facts)
        for seq in range(first, first + count)
    ]


def bad(user: str, *, count: int = 3) -> list[bytes]:
    return [b'{"org_id":"acme","user_id":"%b","n":%d' % (user.encode(), n) for n in range(count)]


async def kept_out(consumer: Consumer) -> int:
    page = await consumer.page("/metrics", 200)
    found = re.findall(r"^activity_consumer_erased_total\{.*\} (\d+)", page, re.MULTILINE)
    return sum(map(int, found))


async def read_once(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, consumer: Consumer
) -> Events:
    """Forty events, and three dead letters of each user, are in."""
    events = some(0, 40)
    await consumer.ready()
    await produce(kafka_bootstrap, topic, events)
    await produce_raw(kafka_bootstrap, topic, [*bad("ada"), *bad("bob")])
    await rows_arrive(clickhouse, 40)
    await _letters(clickhouse, 6)
    return events


@pytest.fixture
def in_step(activity: Command, tmp_path: Path) -> Command:
    """`activity`, with the consumer's times and a machine's spools."""
    spools = {"ACTIVITY_SPOOL_DIR": str(tmp_path / "spool")}
    return functools.partial(activity, **IN_STEP, **spools)


ERASE = ("erase", "--org", "acme", "--user", "ada", "--reason", "ticket 7")


async def test_shown_erased_and_proved(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    new_consumer: NewConsumer,
    in_step: Command,
) -> None:
    async with new_consumer("first", **FAST) as consumer:
        events = await read_once(kafka_bootstrap, topic, clickhouse, consumer)
        status, output, errors = await in_step(*ERASE, "--dry-run")
        assert status == 0, errors
        shown = output.decode()
        assert "would erase: org acme, user ada, before" in shown
        assert re.search(r"SQL: rows of events +20\n", shown)
        assert re.search(r"topic of dead letters: messages +3\n", shown)
        # The tests' broker keeps a message for ever, so that would be left.
        assert re.search(r"topic of events: messages +23  kept out; never deleted by", shown)
        assert re.search(r"API: /v1/orgs/acme/users/ada/activity +20\n", shown)
        assert await number(clickhouse, "SELECT count() FROM events") == 40
        assert await number(clickhouse, "SELECT count() FROM erasures") == 0

        status, output, errors = await in_step(*ERASE, "--delete-records")
        shown = output.decode()
        assert status == 0, shown + errors
        for place in ("SQL: rows of", "topic of", "API:"):
            assert {line.split()[-1] for line in shown.splitlines() if place in line} == {"0"}
        assert shown.endswith("is done: nothing is left\n")
        assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events[1::2])
        assert await gaps(clickhouse) == 0
    status, output, _ = await in_step("erasures", "--json")
    assert status == 0 and b'"reason": "ticket 7"' in output and b'"events": 20' in output


async def test_it_comes_back_by_no_way(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    new_consumer: NewConsumer,
    in_step: Command,
) -> None:
    late = some(40, 10)
    async with new_consumer("first", **FAST) as consumer:
        first = await read_once(kafka_bootstrap, topic, clickhouse, consumer)
        status, output, errors = await in_step(*ERASE)
        assert status == 1 and "23 are left" in errors, output.decode() + errors
        # Late ones of before (a spool, a slow producer), and a replay: kept out, and no gap.
        await produce(kafka_bootstrap, topic, [*first, *late])
        await rows_arrive(clickhouse, 20 + 5)
        await wait_until(lambda: _is(consumer, 20 + 5), PATIENCE_S, "25 are kept out")
        assert await gaps(clickhouse) == 0
        assert await number(clickhouse, "SELECT count() FROM dead_letters FINAL") == 3
    # A group of another name, and a table that is empty, read all from the beginning.
    for table in ("events", "erased_progress", "dead_letters"):
        await clickhouse.command(f"TRUNCATE TABLE {table}")
    again = {"variables": {"ACTIVITY_KAFKA_GROUP_ID": f"again-{topic}"}}
    async with new_consumer("anew", **FAST, **again):
        await produce(kafka_bootstrap, topic, some(50, 2))  # who comes back is recorded
        await rows_arrive(clickhouse, 27)
        await _letters(clickhouse, 3)
    assert await number(clickhouse, "SELECT countIf(user_id = 'ada') FROM events") == 1
    assert await gaps(clickhouse) == 0


async def test_without_the_list_it_comes_back(
    kafka_bootstrap: str,
    topic: str,
    clickhouse: AsyncClient,
    *,
    new_consumer: NewConsumer,
    in_step: Command,
) -> None:
    """The control: the same consumer, which reads no list."""
    events = some(0, 10)
    unprotected = {"program": ("tests.chaos.unprotected", "erasures"), **FAST}
    async with new_consumer("unprotected", **unprotected) as consumer:
        await consumer.ready()
        await produce(kafka_bootstrap, topic, events)
        await rows_arrive(clickhouse, 10)
        await in_step("erase", "--org", "acme")
        assert await ids(clickhouse) == []
        await produce(kafka_bootstrap, topic, some(10, 2, timestamp=events[0]["timestamp"]))
        await rows_arrive(clickhouse, 2)


async def test_the_dead_letter_topic_is_rewritten_and_may_be_broken_off(
    kafka_bootstrap: str, topic: str
) -> None:
    values = [
        b'{"org_id":"acme","user_id":"%b%d"' % (user, n)
        for n in range(4)
        for user in (b"ada", b"bob")
    ]
    name = f"{topic}.dlq"
    await produce_raw(kafka_bootstrap, name, [*values, None], key=b"k", headers=[("h", b"1")])
    partition = TopicPartition(name, 0)
    soon = datetime.now(UTC) + timedelta(hours=1)

    async def there() -> list[Any]:
        begin, end = await log.bounds(partition)
        return [one async for one in read(log, partition, begin, end, Found())]

    class DyingError(Exception):
        pass

    class Dying:
        async def delete_records(self, _: object) -> None:
            raise DyingError

    async with dead_letter_access(kafka_bootstrap) as (log, admin, producer):
        await log.lookup([name])
        before = await there()
        judge = judge_letter(rules_of(Scope("acme", "ada2", soon)))
        broken: Any = Dying()
        with pytest.raises(DyingError):
            await DeadLetterTopic(log, broken, producer).forget(partition, judge)
        assert len(await there()) == 9 + 4  # those before the last one that goes, once more
        found = await DeadLetterTopic(log, admin, producer).forget(partition, judge)
        assert found.count == 1
        left = await there()
        assert sorted(one.value or b"" for one in left) == sorted(
            one.value or b"" for one in before if not judge(one)
        )
        assert {one.timestamp for one in left} <= {one.timestamp for one in before}
        moved = [one for one in left if MOVED in dict(one.headers)]
        assert len(moved) == 4 and {one.headers[0] for one in left} == {("h", b"1")}
        # Another one, of what was moved.
        judge = judge_letter(rules_of(Scope("acme", "ada0", soon)))
        assert (await DeadLetterTopic(log, admin, producer).forget(partition, judge)).count == 1
        assert (await DeadLetterTopic(log, admin, producer).forget(partition, judge)).count == 0
        assert len(await there()) == 7


async def _letters(clickhouse: AsyncClient, count: int) -> None:
    async def there() -> bool:
        return await number(clickhouse, "SELECT count() FROM dead_letters FINAL") == count

    await wait_until(there, PATIENCE_S, f"{count} dead letters")


async def _is(consumer: Consumer, count: int) -> bool:
    return await kept_out(consumer) == count
