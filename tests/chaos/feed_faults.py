"""Readers of the feed, each killed again and again, while consumers and the engine are, too."""

import asyncio
import contextlib
import random
import signal
from collections import Counter

import httpx

from tests.chaos.ledger import Tally
from tests.chaos.protocols import INSERT_APPLIED, INSERT_SENT
from tests.chaos.proxy import Connection
from tests.chaos.run import ORGS, Run
from tests.support.wait import wait_until

# So that eight of them leave the engine to the consumer.
_PAUSE_S = 0.3


class Reader:
    """Of one org. It keeps the ids it was given and its cursor at once; a kill in between loses
    both. `by_time`: the control, which asks the list for what is younger than the youngest."""

    def __init__(self, org_id: str, client: httpx.AsyncClient, *, by_time: bool) -> None:
        self.org_id = org_id
        self.kept: list[str] = []
        self.is_at_end = False
        self._client = client
        self._by_time = by_time
        self._cursor: str | None = None

    async def read(self, chance: random.Random) -> None:
        """Until cancelled."""
        while True:
            with contextlib.suppress(httpx.HTTPError):
                await self.read_page(chance.choice((1, 7, 100)), kept=chance.random() < 0.7)
            await asyncio.sleep(_PAUSE_S)

    async def read_page(self, limit: int, *, kept: bool = True) -> None:
        """`kept`: false for a reader that is killed before it can write anything down."""
        if self._by_time:
            parameters = {"start_time": self._cursor} if self._cursor else {}
            answer = await self._client.get("/activity", params={"limit": 200, **parameters})
        else:
            parameters = {"after": self._cursor} if self._cursor else {}
            answer = await self._client.get("/activity/feed", params={"limit": limit, **parameters})
        if answer.status_code == 503:
            return
        answer.raise_for_status()
        page = answer.json()
        if not kept:
            return
        found = [one["id"] for one in page["activities"]]
        if self._by_time:
            # A page is the newest 200, of which it has seen some.
            found = [one for one in found if one not in self.kept]
            times = [one["timestamp"] for one in page["activities"]]
            self._cursor = max(times, default=self._cursor)
        else:
            self._cursor = page["next_cursor"]
        self.kept += found
        self.is_at_end = not page["has_more"]


async def feed(run: Run) -> None:
    """All orgs are followed from the beginning; a consumer is killed with rows that nobody knows
    are in, and the engine within an insert."""
    async with contextlib.AsyncExitStack() as stack:
        readers = []
        for number in range(ORGS):
            org_id = f"{run.topic}-org{number}"
            client = await stack.enter_async_context(run.stack.api(org_id))
            readers.append(Reader(org_id, client, by_time=run.without == "settled_order"))
        tasks = [asyncio.create_task(one.read(run.random)) for one in readers]
        try:
            await _break_it(run)
            await run.drain()
            run.tally += await _read_to_the_end(run, readers)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _break_it(run: Run) -> None:
    first = await run.consumer(batch_max_rows=200)

    async def kill_consumer(connection: Connection) -> None:
        first.process.send_signal(signal.SIGKILL)
        connection.cut()

    async def kill_engine(connection: Connection) -> None:
        del connection
        run.stack.engine.process.send_signal(signal.SIGKILL)

    async with run.feeding(1500, 3.5):
        await run.sprung(run.trap(INSERT_APPLIED, run.random.randint(1, 3), kill_consumer))
        await first.process.wait()
    await run.consumer(batch_max_rows=300)
    # What has waited for it may be in before the trap is set: so more comes.
    async with run.feeding(1000, 2.5):
        await run.sprung(run.trap(INSERT_SENT, run.random.randint(1, 2), kill_engine))
        await run.stack.engine.process.wait()
        await run.stack.engine.start()


async def _read_to_the_end(run: Run, readers: list[Reader]) -> Tally:
    """How many each lacks, or has twice or of nobody's."""
    by_org = {one.org_id: Counter[str]() for one in readers}
    for id_ in run.ledger.acknowledged:
        by_org[run.ledger.attempted[id_]["org_id"]][id_] += 1

    def lacks() -> int:
        return sum((by_org[one.org_id] - Counter(one.kept)).total() for one in readers)

    with contextlib.suppress(AssertionError):
        patience_s = 5 if run.without else 60
        await wait_until(lambda: not lacks() and all(r.is_at_end for r in readers), patience_s, "")
    present = {one for reader in readers for one in reader.kept}
    extra = sum((Counter(one.kept) - Counter(set(one.kept))).total() for one in readers)
    return Tally(feed=lacks() + extra + len(present - run.ledger.attempted.keys()))
