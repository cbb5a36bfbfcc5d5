"""Trying again until it works: while Kafka or ClickHouse is away nothing is given up."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiokafka.errors import KafkaError
from clickhouse_connect.driver.exceptions import ClickHouseError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

T = TypeVar("T")

FIRST_PAUSE_S = 0.1
_AWAY = (ClickHouseError, KafkaError)


async def keep_trying(
    attempt: Callable[[], Awaitable[T]],
    failed: Callable[[Exception], None],
    longest_pause_s: float = 1.0,
) -> T:
    """The first answer of `attempt`. Waits, longer each time, while it raises KafkaError or
    ClickHouseError, which are told to `failed`; raises any other error at once."""

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, _AWAY):
            failed(error)

    async def call() -> T:  # tenacity does not await what a plain function or a lambda gives
        return await attempt()

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(_AWAY),
        wait=wait_exponential(multiplier=FIRST_PAUSE_S, max=longest_pause_s),
        before_sleep=tell,
    )
    return await retrying(call)
