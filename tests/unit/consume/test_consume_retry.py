"""Trying again: what is tried again, what is raised, and that an answer is an answer."""

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError, DatabaseError

from activity_consume.errors import PartitionLostError
from activity_consume.retry import keep_trying


class _Attempt:
    """Raises these, one at a time, and then answers."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)

    async def __call__(self) -> str:
        if self._errors:
            raise self._errors.pop(0)
        return "answer"


async def test_it_tries_again_while_somebody_is_away_and_says_so() -> None:
    away = [KafkaConnectionError("no broker"), DatabaseError("no table"), KafkaError("x")]
    told: list[Exception] = []
    assert await keep_trying(_Attempt(*away), told.append, longest_pause_s=0.001) == "answer"
    assert told == away


async def test_a_plain_function_that_gives_something_to_await_is_awaited() -> None:
    attempt = _Attempt(ClickHouseError("away"))
    assert (
        await keep_trying(
            lambda: attempt(),  # noqa: PLW0108 - no coroutine function, on purpose
            lambda _: None,
            longest_pause_s=0.001,
        )
        == "answer"
    )


async def test_any_other_error_is_raised_at_once() -> None:
    told: list[Exception] = []
    with pytest.raises(PartitionLostError):
        await keep_trying(_Attempt(PartitionLostError("gone")), told.append)
    assert told == []
