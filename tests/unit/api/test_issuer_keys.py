"""Keys of an issuer that hangs, drips, lies or is away: who has a known one never notices."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from time import monotonic

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from activity_api.auth.issuer import Issuer
from activity_api.auth.issuer_keys import IssuerKeys
from activity_api.auth.jwk_set import KeySet
from activity_api.auth.tokens import KeysUnavailableError, TokenError
from activity_api.settings import TokenSettings
from tests.support.issuer import (
    Answer,
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
from tests.support.kept_keys import HOUR, INTERVAL, NEW, OLD, REFRESH, Clock, Kept
from tests.support.wait import wait_until


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
    with pytest.raises(KeysUnavailableError):
        await kept.knows("old")
    assert monotonic() - started < 5  # a second, on a machine that is not busy
    # At once, as long as it is too early for another try.
    count = len(kept.issuer.requests)
    with pytest.raises(KeysUnavailableError):
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
    with pytest.raises(KeysUnavailableError):
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
    with pytest.raises(KeysUnavailableError):
        await waiting


async def test_an_hour_and_a_day_without_the_issuer(kept: Kept) -> None:
    await kept.load()
    await kept.issuer.leave()
    for _ in range(24):
        kept.clock.now += HOUR - 2
        assert await kept.knows("old")
        await kept.settled()
    kept.clock.now += HOUR
    with pytest.raises(KeysUnavailableError):
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
            with pytest.raises(KeysUnavailableError, match="no answer within 1 s"):
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


def test_a_token_of_the_old_key_is_what_is_verified() -> None:
    """The helper shows the key that signs."""
    token = jwt.encode({"a": 1}, OLD, "RS256")
    key = jwt.PyJWK(jwk(OLD, "old"), "RS256")
    assert jwt.decode(token, key) == {"a": 1}


async def test_whatever_a_fetch_ends_with_the_kept_keys_go_on() -> None:
    class Odd:
        """Good once, then with a fault that nobody thought of."""

        fetched = 0

        async def fetch(self) -> KeySet:
            self.fetched += 1
            if self.fetched > 1:
                raise RuntimeError("not of any kind we know")
            return KeySet.parse(json.dumps({"keys": [jwk(OLD, "old")]}).encode(), ("RS256",))

        async def close(self) -> None:
            pass

    clock, odd = Clock(), Odd()
    settings = TokenSettings(algorithms=("RS256",), jwks_url="https://issuer/keys")
    keys = IssuerKeys(settings, odd, clock)
    for _ in range(3):
        clock.now += REFRESH
        assert await keys.find("old", "RS256")
        await asyncio.sleep(0)
    clock.now += INTERVAL
    with pytest.raises(KeysUnavailableError):
        await keys.find("new", "RS256")
    assert odd.fetched > 1
    await keys.close()
