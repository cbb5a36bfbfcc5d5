"""Keys found by the issuer's URL: OpenID Connect Discovery, and documents that lie."""

import json
from typing import Any

import pytest

from activity_api.auth.tokens import KeysUnavailableError
from tests.support.issuer import Answer, issuing, jwk, key_set, plain
from tests.support.kept_keys import INTERVAL, NEW, OLD, REFRESH, Kept
from tests.support.wait import wait_until

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
            except KeysUnavailableError:
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
        with pytest.raises(KeysUnavailableError):
            await kept.knows("old")
        assert "/jwks.json" not in fake.requests
        await kept.keys.close()
