"""`serve` beside an issuer that hangs or is gone, and with keys that are none."""

import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.integration.api.test_query_serve import Api, serving
from tests.support.issuer import FakeIssuer, drips, hangs, issuing, jwk, key_set, rsa
from tests.support.wait import wait_until
from tests.unit.api.test_issuer_discovery import DISCOVERY, discovery

KNOWN, OTHER = rsa(), rsa()
NOWHERE = "http://127.0.0.1:9"
# Its answer needs no engine: 404 when let in, 401 or 503 when not.
FOREIGN = "/v1/orgs/foreign/activity"


def token(private: Any, kid: str) -> dict[str, str]:
    claims = {
        "iss": "activity-local",
        "aud": "activity",
        "sub": "u",
        "org_id": "o",
        "permissions": ["activity:read"],
        "exp": datetime.now(UTC) + timedelta(hours=1),
    }
    return {"authorization": "Bearer " + jwt.encode(claims, private, "RS256", {"kid": kid})}


def jwks(issuer: FakeIssuer) -> dict[str, str]:
    return {
        "ACTIVITY_JWT_KEY": "",
        "ACTIVITY_JWT_JWKS_URL": issuer.jwks_url,
        "ACTIVITY_JWT_ALGORITHMS": "RS256",
        "ACTIVITY_JWT_JWKS_REFRESH_S": "0.1",
        "ACTIVITY_JWT_JWKS_MIN_INTERVAL_S": "1",
    }


async def test_known_keys_do_not_notice_and_the_end_is_at_once(tmp_path: Path) -> None:
    async with issuing() as issuer:
        issuer.answer(key_set(jwk(KNOWN, "known")))
        async with serving(tmp_path / "api.log", NOWHERE, **jwks(issuer)) as api:

            async def status(private: Any, kid: str) -> int:
                response = await api.client.get(FOREIGN, headers=token(private, kid))
                return response.status_code

            async def is_known() -> bool:
                return await status(KNOWN, "known") == 404

            await wait_until(is_known, timeout=20, what="the keys are there")
            for trouble in (hangs, drips):
                before = len(issuer.requests)
                issuer.answer(trouble)

                async def is_asked(before: int = before) -> bool:
                    assert await is_known()
                    return len(issuer.requests) > before + 1

                await wait_until(is_asked, timeout=20, what="the issuer was asked twice in vain")
                started = monotonic()
                assert [await status(KNOWN, "known") for _ in range(50)] == [404] * 50
                assert monotonic() - started < 5, "on a busy machine, too"
                assert await status(OTHER, "other") == 503
            await issuer.leave()
            assert await is_known()
            await issuer.come()
            issuer.answer(hangs)
            before = len(issuer.requests)

            async def is_fetching() -> bool:
                assert await is_known()
                return len(issuer.requests) > before

            await wait_until(is_fetching, timeout=20, what="a fetch hangs")
            started = monotonic()
            api.process.send_signal(signal.SIGTERM)
            assert await api.process.wait() == 0
            assert monotonic() - started < 5
            assert "Traceback" not in "\n".join(api.process.output())


async def test_discovery_by_the_issuers_url(tmp_path: Path) -> None:
    async with issuing() as issuer:
        name = f"{issuer.url}/realm"
        issuer.answer(discovery(issuer=name, jwks_uri=issuer.jwks_url), DISCOVERY)
        issuer.answer(key_set(jwk(KNOWN, "known")))
        environment = {
            "ACTIVITY_JWT_KEY": "",
            "ACTIVITY_JWT_ISSUER": name,
            "ACTIVITY_JWT_ALGORITHMS": "RS256",
        }
        async with serving(tmp_path / "api.log", NOWHERE, **environment) as api:
            claims = {"iss": name, "aud": "activity", "sub": "u", "org_id": "o"}
            exp = datetime.now(UTC) + timedelta(hours=1)
            text = jwt.encode({**claims, "exp": exp}, KNOWN, "RS256", {"kid": "known"})

            async def is_known() -> bool:
                headers = {"authorization": f"Bearer {text}"}
                return (await api.client.get(FOREIGN, headers=headers)).status_code == 404

            await wait_until(is_known, timeout=20, what="the keys are there")


def pem(key: Any, private: bool = False) -> str:
    if private:
        text: bytes = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    else:
        text = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    return text.decode()


def _wrong() -> Iterator[tuple[dict[str, str], str]]:
    rs256 = {"ACTIVITY_JWT_ALGORITHMS": "RS256"}
    yield {**rs256, "ACTIVITY_JWT_KEY": pem(KNOWN, private=True)}, "is a private key"
    yield {**rs256, "ACTIVITY_JWT_KEY": "a plain secret of some length"}, "no public key in PEM"
    yield {**rs256, "ACTIVITY_JWT_KEY": pem(KNOWN)[:100]}, "cut off"
    yield {**rs256, "ACTIVITY_JWT_KEY": "", "ACTIVITY_JWT_JWKS_URL": "file:///etc/x"}, "https://"
    yield {"ACTIVITY_JWT_KEY": "short"}, "must have at least 32 bytes"
    yield {"ACTIVITY_JWT_KEY": "", "ACTIVITY_JWT_KEY_FILE": "/nowhere/at/all"}, "cannot read"
    yield {"ACTIVITY_CURSOR_KEY_FILE": "/etc/hostname"}, "not both"


@pytest.mark.parametrize(
    ("changed", "text"), list(_wrong()), ids=lambda it: it if isinstance(it, str) else ""
)
async def test_what_cannot_verify_does_not_start(
    tmp_path: Path, changed: dict[str, str], text: str
) -> None:
    api = Api(tmp_path / "api.log", NOWHERE, **changed)
    await api.process.start()
    assert await api.process.wait() == 2
    (line,) = api.process.output()
    assert line.startswith("query_api: ACTIVITY_") or line.startswith("query_api: set one of")
    assert text in line
    assert sys.prefix not in line
    await api.client.aclose()
