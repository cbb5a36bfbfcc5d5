"""The table of attacks: none gets in, each is a plain 401, and nothing of it comes back."""

from collections.abc import AsyncIterator

import httpx
import jwt
import pytest
from pydantic import SecretStr

from activity_api.settings import TokenSettings
from tests.support.query import api, settings
from tests.unit.api.attacks_tokens import (
    ALLOWED,
    ATTACKS,
    PUBLIC_KEY_ATTACKS,
    PUBLIC_PEM,
    THEIRS,
    Attack,
    claims,
)

NOWHERE = "http://127.0.0.1:9"
LIST = "/v1/orgs/o/activity"


async def answer(client: httpx.AsyncClient, values: list[str]) -> httpx.Response:
    fields = [(b"authorization", value.encode("latin-1")) for value in values]
    return await client.get(LIST, headers=fields)


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an API whose engine is away: who gets that far is in."""
    async with api(settings(NOWHERE)) as client:
        yield client


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
async def test_none_gets_in(client: httpx.AsyncClient, attack: Attack) -> None:
    check_refused(await answer(client, attack()))


@pytest.fixture(scope="module")
async def public_key_client() -> AsyncIterator[httpx.AsyncClient]:
    """Of an API that knows a public key."""
    tokens = TokenSettings(algorithms=("RS256",), key=SecretStr(PUBLIC_PEM))
    async with api(settings(NOWHERE, tokens=tokens)) as client:
        yield client


@pytest.mark.parametrize("attack", PUBLIC_KEY_ATTACKS.values(), ids=PUBLIC_KEY_ATTACKS.keys())
async def test_a_public_key_lets_none_in(
    public_key_client: httpx.AsyncClient, attack: Attack
) -> None:
    check_refused(await answer(public_key_client, attack()))


async def test_its_private_half_does(public_key_client: httpx.AsyncClient) -> None:
    token = jwt.encode(claims(), THEIRS, "RS256")
    assert (await answer(public_key_client, [f"Bearer {token}"])).status_code == 503


def check_refused(response: httpx.Response) -> None:
    """A plain 401."""
    assert response.status_code == 401, response.text
    assert response.json()["error"] == "AUTHENTICATION_FAILED"
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer")
    # A sentence for people: no object's form, nothing of the token.
    assert not set(challenge) & set("<>{}[]\\"), challenge
    assert len(challenge) < 200


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER ", "BeArEr   "])
async def test_the_one_they_are_made_from_does(client: httpx.AsyncClient, scheme: str) -> None:
    response = await answer(client, [scheme + ALLOWED])
    assert response.status_code == 503, "let in, to find the engine away"
