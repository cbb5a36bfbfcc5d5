"""Slots for queries: never more than there are, none lost, orgs in turns."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_api.clickhouse.fair_share import FairShare
from activity_api.clickhouse.query_slots import QuerySlots
from tests.support.wait import wait_until

NO_LIMIT = FairShare(1, lambda: 0.0)


async def test_orgs_take_turns() -> None:
    """A queue of one org delays another by one query."""
    slots, order = QuerySlots(1, 1, NO_LIMIT), list[str]()
    ended = asyncio.Event()

    async def run(org_id: str) -> None:
        async with slots.take(org_id):
            order.append(org_id)
            await ended.wait()

    tasks = [asyncio.create_task(run(org_id)) for org_id in ("a", "a", "a", "a", "b", "c", "b")]
    await wait_until(lambda: order == ["a"], timeout=5, what="the first runs")
    ended.set()
    await asyncio.gather(*tasks)
    assert order == ["a", "a", "b", "c", "a", "b", "a"]


async def test_who_is_cancelled_as_its_turn_comes_holds_no_place() -> None:
    """One that holds a slot and one that waits for it, ended at the same moment."""
    slots, forever = QuerySlots(1, 1, NO_LIMIT), asyncio.Event()

    async def run() -> None:
        async with slots.take("a"):
            await forever.wait()

    tasks = [asyncio.create_task(run()) for _ in range(3)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(one) for one in ended} == {asyncio.CancelledError}
    async with asyncio.timeout(5), slots.take("a"):
        pass


async def test_an_org_leaves_places_to_others() -> None:
    slots = QuerySlots(4, 2, NO_LIMIT)
    async with slots.take("a"), slots.take("a"):
        third = asyncio.create_task(slots.take("a").__aenter__())
        done, _ = await asyncio.wait((third,), timeout=0.01)
        assert not done
        async with asyncio.timeout(5), slots.take("b"), slots.take("b"):
            pass
        third.cancel()
        with pytest.raises(asyncio.CancelledError):
            await third
    async with asyncio.timeout(5), slots.take("a"), slots.take("a"):
        pass


steps = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.booleans()), min_size=1, max_size=30
)


@given(asked=steps, total=st.integers(1, 4), per_org=st.integers(1, 3))
def test_never_too_many_and_none_lost(
    asked: list[tuple[str, int, bool]], total: int, per_org: int
) -> None:
    """Queries of any length, of which any may be cancelled at any moment."""

    async def scenario() -> None:
        slots = QuerySlots(total, per_org, NO_LIMIT)
        running: Counter[str] = Counter()

        async def run(org_id: str, turns: int) -> None:
            async with slots.take(org_id):
                running[org_id] += 1
                assert running[org_id] <= per_org
                assert running.total() <= total
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    running[org_id] -= 1

        tasks = []
        for org_id, turns, cancelled in asked:
            tasks.append(asyncio.create_task(run(org_id, turns)))
            for _ in range(turns):
                await asyncio.sleep(0)
            if cancelled:
                tasks[len(tasks) // 2].cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is None or isinstance(result, BaseException) for result in results)
        assert not [r for r in results if isinstance(r, AssertionError)]
        # All slots are free again.
        async with asyncio.timeout(5):
            for number in range(total):
                await slots.take(str(number)).__aenter__()

    asyncio.run(scenario())
