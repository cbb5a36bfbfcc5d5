"""Keys as people set them: what cannot verify a token does not start, and says why in a line."""

import base64
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from pydantic import SecretStr, ValidationError

from activity_api.auth.tokens import verifier
from activity_api.settings import TokenSettings
from tests.support.issuer import rsa
from tests.unit.api.attacks_tokens import claims

PRIVATE, SMALL = rsa(), rsa(1024)
CURVE, LARGE_CURVE = (
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
)
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def public(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    text: bytes = key.public_key().public_bytes(serialization.Encoding.PEM, form)
    return text.decode()


def private(key: Any, form: Any = serialization.PrivateFormat.PKCS8) -> str:
    plain = serialization.NoEncryption()
    text: bytes = key.private_bytes(serialization.Encoding.PEM, form, plain)
    return text.decode()


PEM = public(PRIVATE)
LINES = PEM.splitlines()
OPENSSL = serialization.PrivateFormat.TraditionalOpenSSL
SSH = PRIVATE.public_key().public_bytes(
    serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
)


@pytest.mark.parametrize(
    ("algorithms", "key", "text"),
    [
        ("RS256", private(PRIVATE), "is a private key; set the public one"),
        ("RS256", private(PRIVATE, OPENSSL), "is a private key"),
        ("ES256", private(CURVE, OPENSSL), "is a private key"),
        ("RS256", "a plain secret that is long enough for all", "is no public key in PEM"),
        ("RS256", base64.b64encode(PEM.encode()).decode(), "is no public key in PEM"),
        ("RS256", SSH.decode(), "is no public key in PEM"),
        ("RS256", "".join(LINES[1:-1]), "is no public key in PEM"),
        ("RS256", PEM[: len(PEM) // 2], "cut off"),
        ("RS256", "\n".join(LINES[:2] + LINES[3:]), "cut off"),
        ("RS256", LINES[0], "cut off"),
        ("RS256", public(CURVE), "is an EC (secp256r1) key, which cannot verify RS256"),
        ("RS256", public(EDWARDS), "which cannot verify RS256"),
        ("ES256", PEM, "is an RSA (2048 bits) key, which cannot verify ES256"),
        ("ES256", public(LARGE_CURVE), "is an EC (secp384r1) key, which cannot verify ES256"),
        ("EdDSA", PEM, "which cannot verify EdDSA"),
        ("RS256,ES256", PEM, "which cannot verify ES256"),
        ("RS256", public(SMALL), "is an RSA key of 1024 bits; it must have 2048 or more"),
        ("HS256", PEM, "takes a shared secret"),
        ("HS256", private(PRIVATE), "takes a shared secret"),
        ("HS256", SSH.decode(), "takes a shared secret"),
        ("HS256", "short", "must have at least 32 bytes"),
        ("HS512", "x" * 63, "must have at least 64 bytes"),
        ("RS256", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "certificate"),
    ],
)
def test_what_cannot_verify_is_said_in_one_line(algorithms: str, key: str, text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TokenSettings(algorithms=algorithms, key=SecretStr(key))
    (error,) = refused.value.errors()
    assert text in error["msg"]
    assert "\n" not in error["msg"]
    assert key not in str(refused.value)
    assert "input_value" not in str(refused.value)


@pytest.mark.parametrize(
    ("algorithm", "key", "form"),
    [
        ("RS256", PRIVATE, str),
        ("PS512", PRIVATE, str),
        ("ES256", CURVE, str),
        ("ES384", LARGE_CURVE, str),
        ("EdDSA", EDWARDS, str),
        ("RS256", PRIVATE, lambda pem: pem.replace("\n", "\\n")),
        ("RS256", PRIVATE, lambda pem: pem.replace("\n", "\\r\\n")),
        ("RS256", PRIVATE, lambda pem: pem.replace("\n", "\r\n")),
        ("RS256", PRIVATE, lambda pem: pem.replace("\n", "")),
        ("RS256", PRIVATE, lambda pem: f"\n  {pem}\n"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
async def test_what_can_verifies(algorithm: str, key: Any, form: Callable[[str], str]) -> None:
    settings = TokenSettings(algorithms=(algorithm,), key=SecretStr(form(public(key))))
    token = jwt.encode(claims(), key, algorithm)
    assert (await verifier(settings).verify(token)).org_id == "o"


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://issuer/keys",
        "data:application/json,{}",
        "issuer.example/jwks.json",
        "https://",
        "https:///keys",
        "http://[::1/keys",
        "https://issuer:99999/keys",
        "HTTPFILE:/x",
    ],
)
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(ValidationError, match="must be like https://"):
        TokenSettings(algorithms=("RS256",), jwks_url=url)
