"""Shares of the engine's time."""

from query_api.shares import Shares


class Clock:
    """Seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_over_the_burst_until_the_share_has_paid_for_it() -> None:
    clock = Clock()
    shares = Shares(0.5, 2, clock)
    shares.had("a", 2)
    assert not shares.is_over("a")
    shares.had("a", 1)
    assert shares.is_over("a")
    assert not shares.is_over("b")
    clock.now += 1.9
    assert shares.is_over("a")
    clock.now += 0.2
    assert not shares.is_over("a")


def test_within_its_share_an_org_is_never_over() -> None:
    clock = Clock()
    shares = Shares(0.5, 2, clock)
    for _ in range(1000):
        clock.now += 0.1
        shares.had("a", 0.05)
        assert not shares.is_over("a")


def test_what_an_org_pays_has_an_end() -> None:
    clock = Clock()
    shares = Shares(0.5, 2, clock)
    shares.had("a", 1000)
    clock.now += 4.1
    assert not shares.is_over("a")


def test_no_share_is_no_limit() -> None:
    shares = Shares(0, 2, Clock())
    shares.had("a", 1000)
    assert not shares.is_over("a")


def test_orgs_that_have_paid_are_forgotten() -> None:
    clock = Clock()
    shares = Shares(0.5, 2, clock)
    shares.had("busy", 4)
    for number in range(20_000):
        clock.now += 0.0001
        shares.had(f"org-{number}", 0.00001)
    assert len(shares._uses) <= 10_001
    assert shares.is_over("busy")
