"""Shares of the engine's time."""

from collections import Counter

from activity_api.clickhouse.fair_share import FairShare


class Clock:
    """Seconds, set by the test."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(fair_share: FairShare, clock: Clock, seconds: float, **queries: int) -> None:
    """So many queries at a time, for so long."""
    for _ in range(round(seconds * 100)):
        clock.now += 0.01
        fair_share.running(Counter(queries))


def test_over_with_more_than_half_while_others_ask() -> None:
    clock = Clock()
    fair_share = FairShare(0.5, clock)
    run(fair_share, clock, 10, greedy=4, modest=1)
    assert fair_share.is_over("greedy")
    assert not fair_share.is_over("modest")
    assert not fair_share.is_over("nobody")


def test_alone_it_may_have_all() -> None:
    clock = Clock()
    fair_share = FairShare(0.5, clock)
    run(fair_share, clock, 10, greedy=4)
    assert not fair_share.is_over("greedy")
    run(fair_share, clock, 0.1, greedy=4, modest=1)
    assert not fair_share.is_over("modest")


def test_an_engine_with_time_for_all_has_no_shares() -> None:
    clock = Clock()
    fair_share = FairShare(0.5, clock)
    for _ in range(100):
        run(fair_share, clock, 0.04, large=2, small=1)
        run(fair_share, clock, 0.06)
    assert not fair_share.is_over("large")


def test_it_is_over_no_more_soon_after() -> None:
    clock = Clock()
    fair_share = FairShare(0.5, clock)
    run(fair_share, clock, 60, greedy=4, modest=1)
    run(fair_share, clock, 2)
    assert not fair_share.is_over("greedy")


def test_no_limit() -> None:
    clock = Clock()
    fair_share = FairShare(1, clock)
    run(fair_share, clock, 10, greedy=9, modest=1)
    assert not fair_share.is_over("greedy")


def test_orgs_of_long_ago_are_forgotten() -> None:
    clock = Clock()
    fair_share = FairShare(0.5, clock)
    for number in range(20_000):
        clock.now += 0.01
        fair_share.running(Counter({f"org-{number}": 1}))
    assert len(fair_share._had) < 3000
