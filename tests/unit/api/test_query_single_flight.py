"""Equal questions are asked once, and nobody gets an answer from before it came."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from activity_api.clickhouse.single_flight import ClientDisconnectedError, SingleFlight


class Engine:
    """Answers how often it was asked; each answer waits until it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.ended = 0
        self.let_go = asyncio.Event()
        self.error: Exception | None = None

    async def answer(self) -> int:
        self.asked += 1
        number = self.asked
        try:
            await self.let_go.wait()
        finally:
            self.ended += 1
        if self.error is not None:
            raise self.error
        return number


Ask = Callable[..., "asyncio.Task[int]"]


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def ask(engine: Engine) -> Ask:
    flights: SingleFlight[int] = SingleFlight(look_s=0.001)

    def begin(
        key: str = "a", disconnected: Callable[[], Awaitable[None]] | None = None
    ) -> "asyncio.Task[int]":
        return asyncio.create_task(flights.ask(key, engine.answer, disconnected))

    return begin


async def settle() -> None:
    """All that can run without an answer has run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_comes_before_the_question_shares_its_answer(ask: Ask, engine: Engine) -> None:
    tasks = [ask() for _ in range(5)]
    engine.let_go.set()
    assert await asyncio.gather(*tasks) == [1] * 5


async def test_who_comes_during_it_shares_the_next(ask: Ask, engine: Engine) -> None:
    first = ask()
    await settle()
    later = [ask() for _ in range(5)]
    await settle()
    assert engine.asked == 1
    engine.let_go.set()
    assert await asyncio.gather(first, *later) == [1] + [2] * 5


async def test_another_key_is_another_question(ask: Ask, engine: Engine) -> None:
    tasks = [ask("a"), ask("b")]
    await settle()
    assert engine.asked == 2
    engine.let_go.set()
    assert sorted(await asyncio.gather(*tasks)) == [1, 2]


async def test_a_later_question_is_asked_again(ask: Ask, engine: Engine) -> None:
    engine.let_go.set()
    assert [await ask(), await ask()] == [1, 2]


async def test_an_error_is_everybody_s_and_not_the_next_one_s(ask: Ask, engine: Engine) -> None:
    tasks = [ask() for _ in range(3)]
    await settle()
    engine.error = OSError("away")
    engine.let_go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    engine.error = None
    assert await ask() == 2


async def test_one_that_is_cancelled_takes_nobody_along(ask: Ask, engine: Engine) -> None:
    first, second = ask(), ask()
    await settle()
    first.cancel()
    await settle()
    engine.let_go.set()
    assert await second == 1
    assert first.cancelled()


async def test_what_nobody_waits_for_is_cancelled(ask: Ask, engine: Engine) -> None:
    tasks = [ask(), ask()]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await settle()
    assert (engine.asked, engine.ended) == (1, 1)
    # Nor does who comes next share its end.
    engine.let_go.set()
    assert await ask() == 2


async def test_who_comes_while_it_is_being_cancelled_asks_anew(ask: Ask, engine: Engine) -> None:
    first = ask()
    await settle()
    first.cancel()
    second = ask()
    engine.let_go.set()
    assert await second == 2


async def test_who_waits_behind_one_that_is_cancelled_is_served(ask: Ask, engine: Engine) -> None:
    first = ask()
    await settle()
    second = ask()
    await settle()
    first.cancel()
    engine.let_go.set()
    assert await second == 2


async def test_a_client_that_leaves_leaves_alone(ask: Ask, engine: Engine) -> None:
    left = asyncio.Event()

    async def disconnected() -> None:
        await left.wait()

    leaving, staying = ask("a", disconnected), ask("a")
    await settle()
    left.set()
    with pytest.raises(ClientDisconnectedError):
        await leaving
    assert engine.ended == 0
    engine.let_go.set()
    assert await staying == 1
