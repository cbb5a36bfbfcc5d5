"""What is kept out: whose, of what time, and not what a hold protects."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from activity_consume.erasure.rules import Facts, KeptOut, Rule, Rules, Why, facts_of, micros

NOON = datetime(2026, 5, 6, 12, tzinfo=UTC)
US = micros(NOON.isoformat()) or 0
DAY = 86_400_000_000


def facts(hours: float = -1.0, **changed: Any) -> Facts:
    at = (NOON + timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return Facts(**{"org_id": "acme", "timestamp": at, "producer_id": "p", "seq": 7, **changed})


ADA = Rules([Rule("erasure", "acme", "ada", US)])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"user_id": "ada"}, True),
        ({"user_id": "bob"}, False),
        ({}, False),
        ({"user_id": "ada", "org_id": "other"}, False),
        ({"principal_id": "ada"}, True),
        ({"principal_id": "ada", "principal_type": "user"}, True),
        ({"principal_id": "ada", "principal_type": "service"}, False),
        ({"user_id": "bob", "resource_type": "User", "resource_id": "ada"}, True),
        ({"user_id": "bob", "resource_type": "app", "resource_id": "ada"}, False),
        ({"user_id": "ada", "hours": 0.0}, False),  # `before` is exclusive
        ({"user_id": "ada", "hours": 24.0}, False),
    ],
)
def test_whose_it_is(changed: dict[str, Any], expected: bool) -> None:
    assert (ADA.why(facts(**changed)) is Why.ERASED) == expected
    assert ADA.may_cover([facts(), facts(**changed)]) == expected


def test_an_org_as_a_whole() -> None:
    rules = Rules([Rule("erasure", "acme", "", US), Rule("erasure", "acme", "ada", US + DAY)])
    assert rules.why(facts()) is Why.ERASED
    assert rules.why(facts(1)) is None
    assert rules.why(facts(1, user_id="ada")) is Why.ERASED
    assert rules.why(facts(org_id="other")) is None


def test_what_has_run_out() -> None:
    """An org's own rule counts, be it shorter or longer than that of all others."""
    rules = Rules(
        [
            Rule("retention", "", "", US),
            Rule("retention", "short", "", US + DAY),
            Rule("retention", "ever", "", 0),
        ]
    )
    assert rules.why(facts()) is Why.EXPIRED
    assert rules.why(facts(1)) is None
    assert rules.why(facts(1, org_id="short")) is Why.EXPIRED
    assert rules.why(facts(org_id="ever")) is None


def test_a_hold_keeps_what_would_run_out_and_nothing_that_was_erased() -> None:
    rule = Rule("retention", "", "", US)
    org = Rules([rule], [("acme", "")])
    assert org.why(facts()) is None
    assert org.why(facts(org_id="other")) is Why.EXPIRED
    user = Rules([rule, Rule("erasure", "acme", "bob", US)], [("acme", "ada"), ("acme", "bob")])
    assert user.why(facts(user_id="ada")) is None
    assert user.why(facts(user_id="eve")) is Why.EXPIRED
    assert user.why(facts()) is Why.EXPIRED
    assert user.why(facts(user_id="bob")) is Why.ERASED


def test_of_an_event_as_it_was_sent() -> None:
    value = msgspec.json.encode(facts(user_id="ada"))
    found = facts_of(value)
    assert ADA.why_of_event("acme", found.timestamp, value) == KeptOut(
        Why.ERASED, "p", 7, US // 1_000_000 - 3600
    )
    # Without a fraction: as text it is behind all that have one.
    assert ADA.why_of_event("acme", "2026-05-06T11:59:59Z", value) is not None
    assert ADA.why_of_event("acme", "2026-05-06T12:00:00Z", value) is None
    assert ADA.why_of_event("other", found.timestamp, value) is None


OLD_MS = US // 1000 - 1000


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        (b"acme", b'{"user_id": "ada"}', Why.ERASED),  # nothing else says whose it is
        (b"other", b'{"org_id": "acme", "user_id": "ada"}', Why.ERASED),
        (b"acme", b'{"org_id": "other", "user_id": "ada"}', None),
        (b"acme", b'{"org_id": "acme", "user_id": "ada", "seq": 4, "prod', Why.ERASED),
        (None, b'{"org_id": "acme", "user_id": "\\u0061da"', Why.ERASED),
        (b"acme", b'\xff "user_id":"ada"', Why.ERASED),
        (b"acme", b"[1]", None),
        (b"acme", None, None),
        (None, None, None),
        (b"\xff", b"\xff", None),
    ],
)
def test_of_a_message_that_is_no_event(
    key: bytes | None, value: bytes | None, why: Why | None
) -> None:
    found = ADA.why_of_message(key, value, OLD_MS)
    assert (found and found.why) == why
    assert ADA.why_of_message(key, value, OLD_MS + 2000) is None


def test_a_dead_letter_is_as_old_as_the_older_of_its_times() -> None:
    """A broken clock is why it is one."""
    late, early = OLD_MS + 10_000, "2001-01-01T00:00:00Z"
    value = b'{"org_id":"acme","user_id":"ada","timestamp":"%s"}' % early.encode()
    assert ADA.why_of_message(None, value, late) is not None
    future = value.replace(early.encode(), b"2190-01-01T00:00:00Z")
    assert ADA.why_of_message(None, future, OLD_MS) is not None
    assert ADA.why_of_message(None, future, late) is None


def test_its_number_is_known_only_where_it_has_one() -> None:
    value = b'{"org_id":"acme","user_id":"ada","producer_id":"p","seq":"x"}'
    found = ADA.why_of_message(None, value, OLD_MS)
    assert found is not None and found.producer_id == ""
    found = ADA.why_of_message(None, value.replace(b'"x"', b"12"), OLD_MS)
    assert found is not None and (found.producer_id, found.seq) == ("p", 12)


def test_no_list_asks_nothing() -> None:
    assert not Rules().may_cover([facts()])
    assert Rules().why(facts()) is None
    assert Rules().why_of_message(b"acme", b"{}", 0) is None
    assert Rules() == Rules([]) != ADA
