"""Keys of an issuer that hangs, drips, lies or is away: who has a known one never notices."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from activity_api.auth.issuer import Issuer
from activity_api.auth.issuer_keys import IssuerKeys
from activity_api.auth.tokens import KeysUnavailable, TokenError
from activity_api.settings import TokenSettings
from tests.support.issuer import (
    Answer,
    FakeIssuer,
    drips,
    hangs,
    is_no_http,
    issuing,
    jwk,
    key_set,
    plain,
    resets,
    rsa,
)
from tests.support.wait import wait_until

OLD, NEW = rsa(), rsa()
HOUR = 3600.0
REFRESH, INTERVAL, STALE = 300.0, 30.0, 24 * HOUR


class Clock:
    """Seconds, as far as it was moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """The keys of a fake issuer, on a clock of our own."""

    def __init__(self, fake: FakeIssuer, **changed: Any) -> None:
        parts: dict[str, Any] = {"algorithms": ("RS256",), "jwks_url": fake.jwks_url} | changed
        settings = TokenSettings(
            jwks_refresh_s=REFRESH, jwks_min_interval_s=INTERVAL, jwks_max_stale_s=STALE, **parts
        )
        self.clock = Clock()
        self.issuer = fake
        self.keys = IssuerKeys(settings, Issuer(settings), self.clock)

    async def knows(self, key_id: str) -> bool:
        """Raises KeysUnavailable."""
        try:
            return bool(await self.keys.find(key_id, "RS256"))
        except TokenError:
            return False

    async def is_loaded(self) -> bool:
        """On a busy machine the first fetch may be too late."""
        self.clock.now += INTERVAL
        try:
            return await self.knows("old")
        except KeysUnavailable:
            return False

    async def load(self) -> None:
        self.issuer.answer(key_set(jwk(OLD, "old")))
        await wait_until(self.is_loaded, timeout=30, what="the keys are there")

    async def settled(self) -> None:
        """The fetch under way has ended."""
        fetching = self.keys._fetching
        assert fetching is not None
        await asyncio.wait((fetching,))


@pytest.fixture
async def kept() -> AsyncIterator[Kept]:
    async with issuing() as issuer:
        kept = Kept(issuer)
        try:
            yield kept
        finally:
            await kept.keys.close()


LATIN = b'{"keys": [{"kty": "RSA", "kid": "\xe9"}]}'
PACKED = gzip.compress(json.dumps({"keys": [jwk(OLD, "old")]}).encode())
SMALL = rsa(1024)
CURVE = ec.generate_private_key(ec.SECP256R1())
ODD: dict[str, Answer] = {
    "hangs": hangs,
    "drips": drips,
    "is reset in the middle": resets,
    "is no HTTP": is_no_http,
    "HTML": plain(b"<html>maintenance</html>", "200 OK", "Content-Type: text/html"),
    "empty": plain(b""),
    "deep JSON": plain(b"[" * 200_000),
    "deep JSON in keys": plain(b'{"keys": ' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "invalid UTF-8": plain(LATIN),
    "a list": plain(b"[]"),
    "an empty object": plain(b"{}"),
    "no keys": plain(b'{"keys": []}'),
    "keys that are none": plain(b'{"keys": [null, 1, "x", [], {}]}'),
    "keys as an object": plain(b'{"keys": {"kid": "old"}}'),
    "null": plain(b"null"),
    "NaN": plain(b"NaN"),
    "500": plain(b"", "500 Internal Server Error"),
    "204": plain(b"", "204 No Content"),
    "401": plain(b"{}", "401 Unauthorized"),
    "a redirect": plain(b"", "302 Found", "Location: /elsewhere.json"),
    "packed as not asked for": plain(PACKED, "200 OK", "Content-Encoding: gzip"),
    "said to be packed": plain(b'{"keys": []}', "200 OK", "Content-Encoding: br"),
    "huge": plain(b'{"keys": [], "x": "' + b"x" * (1 << 20) + b'"}'),
    "a bad length": plain(b"{}", "200 OK", "Content-Length: minus one"),
    "of another use": key_set(jwk(OLD, "old", use="enc")),
    "of another algorithm": key_set(jwk(OLD, "old", alg="RSA-OAEP")),
    "for signing only": key_set(jwk(OLD, "old", key_ops=["sign"])),
    "a shared secret": key_set({"kty": "oct", "kid": "old", "k": "c2VjcmV0", "alg": "RS256"}),
    "a small RSA key": key_set(jwk(SMALL, "old")),
    "an EC key": key_set(jwk(CURVE, "old")),
    "a broken key": key_set({"kty": "RSA", "kid": "old", "n": "!!", "e": "AQAB"}),
    "a key without members": key_set({"kty": "RSA", "kid": "old"}),
    "members of other types": key_set({"kty": "RSA", "kid": "old", "n": 1, "e": None}),
    "an id of another type": key_set({**jwk(OLD, None), "kid": ["old"]}),
    "an even exponent": key_set({**jwk(OLD, "old"), "e": "Ag"}),
}
ODD_CASES = pytest.mark.parametrize("answer", ODD.values(), ids=ODD.keys())


@ODD_CASES
async def test_without_keys_nobody_can_tell(kept: Kept, answer: Answer) -> None:
    kept.issuer.answer(answer)
    started = monotonic()
    with pytest.raises(KeysUnavailable):
        await kept.knows("old")
    assert monotonic() - started < 5  # a second, on a machine that is not busy
    # At once, as long as it is too early for another try.
    count = len(kept.issuer.requests)
    with pytest.raises(KeysUnavailable):
        await kept.knows("old")
    assert len(kept.issuer.requests) == count
    await kept.load()


@ODD_CASES
async def test_kept_keys_serve_meanwhile(kept: Kept, answer: Answer) -> None:
    await kept.load()
    kept.issuer.answer(answer)
    kept.clock.now += REFRESH
    for _ in range(3):
        assert await kept.knows("old")
        await kept.settled()
        kept.clock.now += INTERVAL
    # A new key may be the issuer's: no 401 until it has said that it is not.
    with pytest.raises(KeysUnavailable):
        await kept.knows("new")
    assert await kept.knows("old")


async def test_who_has_a_known_key_does_not_wait(kept: Kept) -> None:
    await kept.load()
    kept.issuer.answer(hangs)
    kept.clock.now += REFRESH
    assert await kept.knows("old")
    fetching = kept.keys._fetching
    assert fetching is not None
    waiting = asyncio.create_task(kept.knows("new"))
    for _ in range(1000):
        assert await kept.knows("old")
    assert not fetching.done(), "a thousand answers while one fetch hangs"
    with pytest.raises(KeysUnavailable):
        await waiting


async def test_an_hour_and_a_day_without_the_issuer(kept: Kept) -> None:
    await kept.load()
    await kept.issuer.leave()
    for _ in range(24):
        kept.clock.now += HOUR - 2
        assert await kept.knows("old")
        await kept.settled()
    kept.clock.now += HOUR
    with pytest.raises(KeysUnavailable):
        await kept.knows("old")
    await kept.issuer.come()
    await kept.load()


async def test_ten_thousand_unknown_ids_are_one_fetch(kept: Kept) -> None:
    await kept.load()
    kept.clock.now += INTERVAL
    for interval in range(3):
        before = len(kept.issuer.requests)
        known = await asyncio.gather(*(kept.knows(f"{interval}-{n}") for n in range(10_000)))
        assert not any(known)
        assert len(kept.issuer.requests) - before == 1
        kept.clock.now += INTERVAL


async def test_a_new_key_is_found_and_an_old_one_forgotten(kept: Kept) -> None:
    await kept.load()
    kept.issuer.answer(key_set(jwk(NEW, "new")))
    kept.clock.now += INTERVAL
    assert await kept.knows("new")
    assert not await kept.knows("old")


async def test_a_request_that_is_cancelled_leaves_the_fetch_to_the_others(kept: Kept) -> None:
    await kept.load()
    kept.issuer.answer(key_set(jwk(NEW, "new")))
    kept.clock.now += INTERVAL
    first = asyncio.create_task(kept.knows("new"))
    second = asyncio.create_task(kept.knows("new"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second


async def test_the_fetch_has_one_deadline_however_the_bytes_come() -> None:
    async with issuing() as fake:
        settings = TokenSettings(algorithms=("RS256",), jwks_url=fake.jwks_url)
        issuer = Issuer(settings)
        for answer in (drips, hangs):
            fake.answer(answer)
            started = monotonic()
            with pytest.raises(KeysUnavailable, match="no answer within 1 s"):
                await issuer.fetch()
            assert 0.9 < monotonic() - started < 3
        await issuer.close()


async def test_of_several_keys_those_that_fit_are_used(kept: Kept) -> None:
    shown = [
        jwk(CURVE, "old"),
        jwk(NEW, "old"),
        jwk(OLD, "old", use="sig", alg="RS256", x5c=["not looked at"], d="private by mistake"),
        jwk(SMALL, "small"),
    ]
    kept.issuer.answer(key_set(*shown))
    await wait_until(kept.is_loaded, timeout=30, what="the keys are there")
    found = await kept.keys.find("old", "RS256")
    numbers = [key.public_numbers() for key in found]
    assert numbers == [key.public_key().public_numbers() for key in (NEW, OLD)]
    assert not await kept.knows("small")


async def test_a_token_without_an_id_where_there_is_no_choice(kept: Kept) -> None:
    await kept.load()
    assert len(await kept.keys.find(None, "RS256")) == 1
    kept.clock.now += INTERVAL
    kept.issuer.answer(key_set(jwk(OLD, "old"), jwk(NEW, "new")))
    assert await kept.knows("new")
    with pytest.raises(TokenError):
        await kept.keys.find(None, "RS256")


DISCOVERY = "/realm/.well-known/openid-configuration"


def discovery(**document: Any) -> Answer:
    return plain(json.dumps(document).encode())


async def test_discovery_by_the_issuers_url() -> None:
    async with issuing() as fake:
        issuer = f"{fake.url}/realm"
        fake.answer(discovery(issuer=issuer, jwks_uri=f"{fake.url}/keys"), DISCOVERY)
        fake.answer(key_set(jwk(OLD, "old")), "/keys")
        kept = Kept(fake, jwks_url=None, issuer=issuer)
        await wait_until(kept.is_loaded, timeout=30, what="the keys are there")
        fake.requests.clear()
        kept.clock.now += REFRESH
        assert await kept.knows("old")
        await kept.settled()
        assert fake.requests == ["/keys"], "where they are is known"
        # They move: the old place fails once, then it is asked again.
        fake.answer(plain(b"", "404 Not Found"), "/keys")
        fake.answer(discovery(issuer=issuer, jwks_uri=f"{fake.url}/moved"), DISCOVERY)
        fake.answer(key_set(jwk(NEW, "new")), "/moved")

        async def has_moved() -> bool:
            kept.clock.now += INTERVAL
            try:
                return await kept.knows("new")
            except KeysUnavailable:
                return False

        await wait_until(has_moved, timeout=30, what="the moved keys are there")
        await kept.keys.close()


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://somebody.else", "jwks_uri": "{url}/jwks.json"},
        {"issuer": "{url}/realm/", "jwks_uri": "{url}/jwks.json"},
        {"jwks_uri": "{url}/jwks.json"},
        {"issuer": "{url}/realm"},
        {"issuer": "{url}/realm", "jwks_uri": "file:///etc/passwd"},
        {"issuer": "{url}/realm", "jwks_uri": "ftp://127.0.0.1/keys"},
        {"issuer": "{url}/realm", "jwks_uri": "/jwks.json"},
        {"issuer": "{url}/realm", "jwks_uri": ["{url}/jwks.json"]},
        {"issuer": "{url}/realm", "jwks_uri": "http://[::1/keys"},
        {"issuer": "{url}/realm", "jwks_uri": "http:///keys"},
        {"issuer": "{url}/realm", "jwks_uri": "http://127.0.0.1:99999/keys"},
        {"issuer": "{url}/realm", "jwks_uri": "http://xn--/keys"},
    ],
    ids=str,
)
async def test_a_discovery_document_that_lies(document: dict[str, Any]) -> None:
    async with issuing() as fake:
        text = json.dumps(document).replace("{url}", fake.url)
        fake.answer(plain(text.encode()), DISCOVERY)
        fake.answer(key_set(jwk(OLD, "old")))
        kept = Kept(fake, jwks_url=None, issuer=f"{fake.url}/realm")
        with pytest.raises(KeysUnavailable):
            await kept.knows("old")
        assert "/jwks.json" not in fake.requests
        await kept.keys.close()


def test_a_token_of_the_old_key_is_what_is_verified() -> None:
    """The helper shows the key that signs."""
    token = jwt.encode({"a": 1}, OLD, "RS256")
    key = jwt.PyJWK(jwk(OLD, "old"), "RS256")
    assert jwt.decode(token, key) == {"a": 1}
