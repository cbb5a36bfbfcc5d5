"""The table of attacks: none gets in, each is a plain 401, and nothing of it comes back."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.support.query import api, settings
from tests.unit.api.attacks_tokens import ALLOWED, ATTACKS, Attack

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
    response = await answer(client, attack())
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
