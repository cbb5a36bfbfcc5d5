"""A report's page: whatever an event holds is text on it, and nothing comes from a network."""

import re
from datetime import UTC, date, datetime
from html.parser import HTMLParser

import pytest

from activity_deploy.analyst.figures import Action, Day, Figures, User
from activity_deploy.analyst.page import Scale, milliseconds, nice_top, short, to_html
from activity_deploy.terminal import harmless

EVIL = "</title><script>alert(1)</script>\x1b[2J\"'&{{ 7 * 7 }}\u202e"
NOW = datetime(2026, 3, 4, 5, tzinfo=UTC)


def figures(name: str, requests: int = 10) -> Figures:
    return Figures(
        org=name,
        since=NOW,
        until=NOW,
        requests=requests,
        failed=1,
        users=1,
        p95_ms=12.5,
        tokens=2**80,
        days=[Day(date(2026, 3, 4), requests - 1, 1)],
        actions=[Action(name, requests, 1)],
        heat={(1, 0): 0.0, (7, 23): 9e10},
        top=[User(name, requests, 1, NOW)],
    )


class Seen(HTMLParser):
    """Tags, attributes and text as a browser takes them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_what_an_event_holds_is_text_and_no_more() -> None:
    good, evil = Seen(to_html(figures("acme"))), Seen(to_html(figures(EVIL)))
    assert evil.tags == good.tags
    assert len(evil.attributes) == len(good.attributes)
    assert evil.text.count("<script>alert(1)</script>\\x1b[2J\"'&{{ 7 * 7 }}\\x202e") == 4
    assert "\x1b" not in evil.text


def test_nothing_is_fetched_and_nothing_runs() -> None:
    page = to_html(figures("acme"))
    assert not re.search(r"https?:|src=|@import|url\(|<script|\son\w+=", page)
    assert "default-src 'none'" in page


@pytest.mark.parametrize("requests", [1, 2, 5, 6, 99_999, 2**70])
def test_any_count_has_a_picture(requests: int) -> None:
    drawn = Seen(to_html(figures("acme", requests)))
    sizes = [float(value) for name, value in drawn.attributes if name in ("width", "y") and value]
    assert sizes and all(size >= -1 or requests > 5 for size in sizes)
    assert nice_top(requests) >= requests


def test_steps_are_equal_in_the_logarithm() -> None:
    scale = Scale(1, 100_000)
    assert [scale.step(value) for value in (0, 1, 11, 101, 1001, 10_001, 100_000)] == [
        *(0, 0, 1, 2, 3, 4, 4),
    ]
    assert Scale(5, 5).step(5) == 0


def test_numbers_are_short() -> None:
    assert [milliseconds(one) for one in (0.25, 12.345, 999.7, 3400, 25_000)] == [
        *("0.25 ms", "12.3 ms", "1.0 s", "3.4 s", "25 s"),
    ]
    assert [short(one) for one in (99_999, 548_118, 60_436_885)] == ["99,999", "548 k", "60.4 M"]


def test_a_terminal_is_not_steered() -> None:
    assert harmless("a\x1b[31m\x9b\r\n\tü\u202e") == "a\\x1b[31m\\x9b\\x0d\n\tü\\x202e"
