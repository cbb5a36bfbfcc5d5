"""A group that shares its partitions out anew: what stays with its member goes on at once."""

import asyncio
import re

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.consumer import (
    PATIENCE_S,
    Consumer,
    NewConsumer,
    event,
    ids,
    produce,
    rows_arrive,
)
from tests.support.wait import wait_until


def _partitions(consumer: Consumer, words: str) -> list[int]:
    """Of which partitions it has said that, in this order."""
    found = (re.search(rf"-(\d+): {words}", line) for line in consumer.process.output())
    return [int(one[1]) for one in found if one]


async def test_what_stays_goes_on_from_memory(
    kafka_bootstrap: str, topic: str, clickhouse: AsyncClient, new_consumer: NewConsumer
) -> None:
    """A second member comes and leaves: the first asks the table only for what was the other's
    meanwhile. Each event is there once."""
    events = [event(f"org-{number % 50}", seq=number) for number in range(1200)]

    async def feed() -> None:
        for first in range(0, len(events), 100):
            await produce(kafka_bootstrap, topic, events[first : first + 100])

    # However slow the machine is: an insert that is broken off has to be asked about.
    settings = {"session_timeout_s": 60, "flush_timeout_s": 50}
    async with new_consumer("stays", **settings) as stays:
        await stays.ready()
        all_of_them = set(_partitions(stays, "from offset"))
        feeding = asyncio.create_task(feed())
        async with new_consumer("guest", **settings) as guest:
            await guest.ready()
            lent = set(_partitions(guest, "from offset"))
            assert lent < all_of_them

            async def went_on() -> bool:
                return set(_partitions(stays, "is back")) >= all_of_them - lent

            await wait_until(went_on, PATIENCE_S, "the first goes on with what it kept")
            taken_over = len(_partitions(stays, "from offset"))

        async def got_back() -> bool:
            return len(_partitions(stays, "from offset")) >= taken_over + len(lent)

        await wait_until(got_back, PATIENCE_S, "the first has all again")
        await feeding
        await rows_arrive(clickhouse, len(events))
        again = _partitions(stays, "from offset")[len(all_of_them) :]
        assert sorted(again) == sorted(lent)
    assert sorted(await ids(clickhouse)) == sorted(one["id"] for one in events)
