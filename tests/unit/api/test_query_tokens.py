"""Tokens: only what the settings allow, and keys from a JWKS."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from activity_api.auth.tokens import KeysUnavailableError, TokenError, mint, verifier
from activity_api.settings import TokenSettings
from tests.support.query import KEY, TOKENS

NOW = datetime.now(UTC)
PRIVATE = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = (
    PRIVATE.public_key()
    .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    .decode()
)
CLAIMS: dict[str, Any] = {
    "iss": "activity-local",
    "aud": "activity",
    "sub": "u",
    "org_id": "o",
    "permissions": ["activity:read"],
    "exp": NOW + timedelta(hours=1),
}


async def test_a_minted_token_is_valid() -> None:
    token = mint(TOKENS, org_id="o", subject="u", now=NOW, workspaces=("b", "a"), jti="j")
    caller = await verifier(TOKENS).verify(token)
    assert (caller.org_id, caller.subject, caller.user_id) == ("o", "u", "u")
    assert caller.permissions == {"activity:read"}
    assert caller.workspaces == ("a", "b")
    service = mint(TOKENS, org_id="o", subject="s", now=NOW, principal_type="service")
    caller = await verifier(TOKENS).verify(service)
    assert (caller.subject, caller.user_id, caller.workspaces) == ("s", None, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": NOW - timedelta(seconds=1)},
        {"exp": None},
        {"iss": "somebody"},
        {"aud": "something"},
        {"nbf": NOW + timedelta(hours=1)},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"org_id": None},
        {"org_id": ""},
        {"org_id": ["o"]},
        {"permissions": "activity:read"},
        {"workspaces": "w"},
        {"workspaces": [1]},
    ],
    ids=str,
)
async def test_claims_that_are_refused(changed: dict[str, Any]) -> None:
    claims = {name: value for name, value in (CLAIMS | changed).items() if value is not None}
    with pytest.raises(TokenError):
        await verifier(TOKENS).verify(jwt.encode(claims, KEY, "HS256"))


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "é.é.é", "..", jwt.encode(CLAIMS, KEY * 2, "HS384")]
)
async def test_tokens_that_are_refused(token: str) -> None:
    with pytest.raises(TokenError):
        await verifier(TOKENS).verify(token)


async def test_other_keys_and_no_algorithm_are_refused() -> None:
    for token in (
        jwt.encode(CLAIMS, "another key that is long enough for SHA-256", "HS256"),
        jwt.encode(CLAIMS, "", "none"),
        jwt.encode(CLAIMS, PRIVATE, "RS256"),
    ):
        with pytest.raises(TokenError):
            await verifier(TOKENS).verify(token)


async def test_a_public_key() -> None:
    settings = TokenSettings(algorithms=("RS256",), key=SecretStr(PUBLIC_PEM))
    assert (await verifier(settings).verify(jwt.encode(CLAIMS, PRIVATE, "RS256"))).org_id == "o"
    with pytest.raises(TokenError):  # the public key is no secret: it must not do as one
        await verifier(settings).verify(jwt.encode(CLAIMS, KEY, "HS256"))


async def test_keys_from_a_jwks() -> None:
    keys = [{**jwt.algorithms.RSAAlgorithm.to_jwk(PRIVATE.public_key(), as_dict=True), "kid": "1"}]
    token = jwt.encode(CLAIMS, PRIVATE, "RS256", headers={"kid": "1"})
    other = jwt.encode(CLAIMS, PRIVATE, "RS256", headers={"kid": "2"})
    async with _serving(json.dumps({"keys": keys}).encode()) as url:
        check = verifier(TokenSettings(algorithms=("RS256",), jwks_url=url))
        assert (await check.verify(token)).org_id == "o"
        for bad in (other, "x", jwt.encode(CLAIMS, KEY, "HS256", headers={"kid": "1"})):
            with pytest.raises(TokenError):
                await check.verify(bad)
    # The keys are kept; without any, nobody can tell a good token from a bad one.
    assert (await check.verify(token)).org_id == "o"
    with pytest.raises(KeysUnavailableError):
        await verifier(TokenSettings(algorithms=("RS256",), jwks_url=url)).verify(token)


@contextlib.asynccontextmanager
async def _serving(body: bytes) -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        writer.write(body)
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks.json"
