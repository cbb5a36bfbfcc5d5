"""Tokens of the bucket, places, and the circuit, on a clock of our own."""

import pytest

from activity_api.clickhouse.circuit_breaker import CircuitBreaker
from activity_api.endpoints.rate_limit import LimitExceededError, Limits
from activity_api.settings import LimitSettings


class Clock:
    """Seconds, as far as it was moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def admit(limits: Limits, org_id: str = "o") -> dict[str, str]:
    async with limits.admit(org_id) as headers:
        return headers


async def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    limits = Limits(LimitSettings(requests_per_second=2, burst=3, concurrent=9), clock)
    remaining = [(await admit(limits))["RateLimit"] for _ in range(3)]
    assert remaining == ['"org";r=2;t=1', '"org";r=1;t=1', '"org";r=0;t=2']
    with pytest.raises(LimitExceededError) as refused:
        await admit(limits)
    assert refused.value.limit == "requests_per_second"
    assert refused.value.headers == {
        "Retry-After": "1",
        "RateLimit-Policy": '"org";q=3;w=2;per="worker"',
        "RateLimit": '"org";r=0;t=2',
    }
    await admit(limits, "another org has its own")
    clock.now += 0.5
    await admit(limits)
    with pytest.raises(LimitExceededError):
        await admit(limits)


async def test_retry_after_is_long_enough() -> None:
    clock = Clock()
    limits = Limits(LimitSettings(requests_per_second=0.1, burst=1, concurrent=9), clock)
    await admit(limits)
    with pytest.raises(LimitExceededError) as refused:
        await admit(limits)
    clock.now += refused.value.retry_after
    await admit(limits)


async def test_places_come_back_also_after_an_error() -> None:
    limits = Limits(LimitSettings(concurrent=2), Clock())
    with pytest.raises(ZeroDivisionError):
        async with limits.admit("o"), limits.admit("o"):
            with pytest.raises(LimitExceededError) as refused:
                await admit(limits)
            assert (refused.value.limit, refused.value.retry_after) == ("concurrent", 1)
            # Of the rate nothing is said: there is plenty left of it.
            assert refused.value.headers == {
                "Retry-After": "1",
                "RateLimit-Policy": '"concurrent";q=2;qu="concurrent-requests";per="worker"',
                "RateLimit": '"concurrent";r=0',
            }
            raise ZeroDivisionError
    async with limits.admit("o"), limits.admit("o"):
        pass


async def test_orgs_without_requests_are_forgotten() -> None:
    clock = Clock()
    limits = Limits(LimitSettings(requests_per_second=1, burst=5), clock)
    for number in range(10_000):
        await admit(limits, str(number))
    clock.now += 3
    await admit(limits, "9999")
    clock.now += 3
    await admit(limits, "one too many")
    assert set(limits._uses) == {"9999", "one too many"}


def test_the_circuit_closes_by_itself() -> None:
    clock = Clock()
    circuit = CircuitBreaker(1, clock)
    assert circuit.may_try()
    circuit.failed()
    assert not circuit.may_try()
    clock.now += 1
    assert circuit.may_try()
    assert not circuit.may_try(), "one request tries, the others do not wait for it"
    circuit.failed()
    clock.now += 1
    assert circuit.may_try()
    circuit.succeeded()
    assert circuit.may_try()
    assert circuit.may_try()
