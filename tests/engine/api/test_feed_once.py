"""A reader of the feed that is killed whenever, beside writers in any order: each event once.

The reader keeps what it was given and the cursor together, as a SIEM does; killed in between, it
has neither. Partitions are written batch by batch, a batch in parts that may be seen one by one,
with late timestamps; who settles a batch says so some time later.
"""

import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

import httpx
import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.feed import NOW, at, page, settle
from tests.support.query import Row, api, bearer, insert, paginate, settings

PARTITIONS = 3


@dataclass
class Partition:
    """A log that is written batch by batch. `todo`: what is left of the batch that is begun."""

    number: int
    offset: int = 0
    todo: list[list[Row]] = field(default_factory=list)
    told: int = 0


@dataclass
class Reader:
    """`kept` and `cursor` are written at once."""

    cursor: str = "beginning"
    kept: list[str] = field(default_factory=list)


def batch(chance: random.Random, partition: Partition) -> Iterator[list[Row]]:
    """The next rows in several pieces, later offsets perhaps before earlier ones."""
    rows = []
    for _ in range(chance.randint(1, 12)):
        late = timedelta(hours=chance.choice((0, 0, 1, 30, 900)), seconds=chance.random())
        rows.append(at("o", partition.number, partition.offset, at=NOW - late))
        partition.offset += chance.randint(1, 3)  # others' events stand in between
    chance.shuffle(rows)
    while rows:
        some = chance.randint(1, len(rows))
        yield rows[:some]
        rows = rows[some:]


async def write_some(clickhouse: AsyncClient, chance: random.Random, one: Partition) -> list[Row]:
    """One step of a partition's owner."""
    if one.todo:
        rows = one.todo.pop()
        await insert(clickhouse, rows)
        return rows
    if one.told < one.offset and chance.random() < 0.6:
        one.told = one.offset
        await settle(clickhouse, {one.number: one.told})
        return []
    one.todo = list(batch(chance, one))
    return []


async def read_some(client: httpx.AsyncClient, chance: random.Random, reader: Reader) -> None:
    """A page, if the reader lives to keep it."""
    found = await page(client, after=reader.cursor, limit=chance.choice((1, 2, 5, 100)))
    if chance.random() < 0.4:
        return  # killed: it has not kept what it was given, and not the cursor either
    reader.kept += [one["path"] for one in found["activities"]]
    reader.cursor = found["next_cursor"]


async def read_by_time(client: httpx.AsyncClient, reader: Reader) -> None:
    """The control: what is younger than the youngest that was seen, as one would with the list."""
    since = "" if reader.cursor == "beginning" else f"?start_time={reader.cursor}"
    found = await paginate(client, f"/v1/orgs/o/activity{since}", bearer("o"), 100)
    reader.kept += [one["path"] for one in found if one["path"] not in reader.kept]
    reader.cursor = max((one["timestamp"] for one in found), default=reader.cursor)


@pytest.mark.parametrize("seed", range(int(os.environ.get("ACTIVITY_TEST_SEEDS", "1"))))
async def test_each_event_once_and_by_time_some_are_lost(
    clickhouse: AsyncClient, clickhouse_url: str, database: str, seed: int
) -> None:
    chance = random.Random(seed)
    partitions = [Partition(number) for number in range(PARTITIONS)]
    written: list[str] = []
    reader, control = Reader(), Reader()
    configured = settings(clickhouse_url, database)
    async with api(configured) as client:
        for _ in range(60):
            if chance.random() < 0.6:
                rows = await write_some(clickhouse, chance, chance.choice(partitions))
                written += [row["path"] for row in rows]
            else:
                await read_some(client, chance, reader)
                if chance.random() < 0.4:
                    await read_by_time(client, control)
        for one in partitions:
            for rows in one.todo:
                await insert(clickhouse, rows)
                written += [row["path"] for row in rows]
            await settle(clickhouse, {one.number: one.offset})
        await read_by_time(client, control)
    async with api(configured) as client:  # which knows nothing that is old
        more = True
        while more:
            found = await page(client, after=reader.cursor, limit=7)
            reader.kept += [one["path"] for one in found["activities"]]
            reader.cursor, more = found["next_cursor"], found["has_more"]
    assert len(written) > 30
    assert Counter(reader.kept) == Counter(written)
    for number in range(PARTITIONS):  # each partition in the order of its log
        own = [int(p.split("/")[2]) for p in reader.kept if p.startswith(f"/{number}/")]
        assert own == sorted(own)
    assert set(written) - set(control.kept), "by time nothing was lost: the test proves nothing"
