"""Claims that are let in, and what the settings add: leeway, ages, sizes, types."""

import time
from typing import Any

import jwt
import pytest

from activity_api.auth.tokens import Caller, TokenError, verifier
from activity_api.settings import TokenSettings
from tests.support.query import KEY, TOKENS
from tests.unit.api.attacks_tokens import HS, claims, signed

NOW = 1_800_000_000.0


async def verified(token: str, now: float = NOW, **changed: Any) -> Caller:
    settings = TokenSettings(key=TOKENS.key, **changed)
    return await verifier(settings, clock=lambda: now).verify(token)


def at(**changed: Any) -> str:
    return signed(HS, claims(**{"exp": NOW + 600, "iat": NOW} | changed))


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": ["other", "activity"]},
        {"exp": NOW + 0.5},
        {"exp": 10**400},
        {"nbf": NOW},
        {"iat": ...},
        {"iat": NOW - 1e6},
        {"sub": "u" * 256},
        {"sub": "Ünï-✓ @|/;'\""},
        {"workspaces": []},
        {"workspaces": None},
        {"permissions": None},
        {"principal_type": None},
        {"jti": ["of no interest"], "scope": 7, "nonce": {}},
    ],
    ids=str,
)
async def test_claims_that_are_let_in(changed: dict[str, Any]) -> None:
    assert (await verified(at(**changed))).org_id == "o"


async def test_who_it_is() -> None:
    caller = await verified(at(workspaces=["b", "a", "b"], principal_type="service"))
    assert caller.workspaces == ("a", "b")
    assert (caller.subject, caller.user_id) == ("u", None)
    assert (await verified(at(workspaces=[]))).workspaces == ()
    assert (await verified(at(permissions=...))).permissions == frozenset()


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": NOW - 10}, "has expired"),
        ({"nbf": NOW + 10}, "is not valid yet"),
        ({"iat": NOW + 10}, "issued in the future"),
    ],
)
async def test_leeway_is_for_every_time(changed: dict[str, Any], reason: str) -> None:
    with pytest.raises(TokenError, match=reason):
        await verified(at(**changed), leeway_s=9.5)
    assert await verified(at(**changed), leeway_s=10.5)


async def test_the_maximum_age() -> None:
    assert await verified(at(iat=NOW - 59), max_age_s=60)
    with pytest.raises(TokenError, match="too long ago"):
        await verified(at(iat=NOW - 60), max_age_s=60)
    assert await verified(at(iat=NOW - 64), max_age_s=60, leeway_s=5)
    with pytest.raises(TokenError, match="does not say when"):
        await verified(at(iat=...), max_age_s=60)


async def test_the_maximum_size() -> None:
    token = at(x="x" * 1000)
    assert await verified(token, max_bytes=len(token))
    with pytest.raises(TokenError, match=f"longer than {len(token) - 1} bytes"):
        await verified(token, max_bytes=len(token) - 1)


@pytest.mark.parametrize(
    ("typ", "wanted", "is_good"),
    [
        ("JWT", None, True),
        ("jwt", None, True),
        ("at+jwt", None, True),
        ("application/at+JWT", None, True),
        (None, None, True),
        ("dpop+jwt", None, False),
        ("at+jwt", "at+jwt", True),
        ("AT+JWT", "at+jwt", True),
        ("application/at+jwt", "at+jwt", True),
        ("at+jwt", "application/at+jwt", True),
        ("JWT", "at+jwt", False),
        (None, "at+jwt", False),
        ("", "at+jwt", False),
    ],
)
async def test_the_type(typ: str | None, wanted: str | None, is_good: bool) -> None:
    header = {"alg": "HS256"} | ({} if typ is None else {"typ": typ})
    token = signed(header, claims(exp=NOW + 600))
    if is_good:
        assert await verified(token, typ=wanted)
    else:
        with pytest.raises(TokenError, match="another type"):
            await verified(token, typ=wanted)


async def test_a_long_token_costs_nothing() -> None:
    """It is refused by its length, before anything is decoded: 28 MB took 1.4 s."""
    token = jwt.encode(claims(), KEY, "HS256") + "A" * (28 << 20)
    check = verifier(TOKENS)
    started = time.perf_counter()
    for _ in range(100):
        with pytest.raises(TokenError):
            await check.verify(token)
    assert time.perf_counter() - started < 1
