"""The key that tokens are verified with, tried before anything is served."""

from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError

# RFC 7518 §3.3: 2048 bits or more. Above the most, one verification takes milliseconds.
_LEAST_RSA_BITS, _MOST_RSA_BITS = 2048, 8192
_CURVES = {
    "ES256": "secp256r1",
    "ES256K": "secp256k1",
    "ES384": "secp384r1",
    "ES512": "secp521r1",
    "ES521": "secp521r1",
}
_NAME = "ACTIVITY_JWT_KEY"
_TO_PUBLIC = "`openssl pkey -in key.pem -pubout` prints the public one"
#: The class of `get_default_algorithms()` for each name; `none` is no algorithm (RFC 8725 §3.2).
ALGORITHMS = {name: it for name, it in get_default_algorithms().items() if name != "none"}


def verification_key(text: str, algorithms: Sequence[str]) -> Any:
    """The key, ready to verify with each of the algorithms, which are all HS* or none is.

    Raises ValueError with one line that says what is wrong with it; never the key itself.
    """
    # A variable of one line often has its line ends written as `\n`.
    if "-----BEGIN" in text and "\\n" in text:
        text = text.replace("\\r", "").replace("\\n", "\n")
    symmetric = algorithms[0].startswith("HS")
    key = _secret(text, algorithms) if symmetric else _public_key(text, algorithms)
    for name in algorithms:
        try:
            prepared = ALGORITHMS[name].prepare_key(key)
            ALGORITHMS[name].verify(b"tried", prepared, b"no signature")
        except (PyJWTError, TypeError, ValueError) as error:
            raise ValueError(f"{_NAME} cannot be used for {name}: {_line(error)}") from None
    return key


def fits(key: object, algorithm: str) -> bool:
    """Whether a public key is of the algorithm's kind, curve and size."""
    if isinstance(key, RSAPublicKey):
        is_sound = _LEAST_RSA_BITS <= key.key_size <= _MOST_RSA_BITS
        return is_sound and algorithm.startswith(("RS", "PS"))
    if isinstance(key, EllipticCurvePublicKey):
        return _CURVES.get(algorithm) == key.curve.name
    return isinstance(key, Ed25519PublicKey | Ed448PublicKey) and algorithm.startswith("Ed")


def _secret(text: str, algorithms: Sequence[str]) -> str:
    # RFC 7518 §3.2: an HMAC key is at least as long as the hash's output.
    shortest = max(int(name[2:]) for name in algorithms) // 8
    if len(text.encode()) < shortest:
        raise ValueError(f"{_NAME} must have at least {shortest} bytes")
    if "-----BEGIN" in text or text.startswith(("ssh-", "ecdsa-sha2-")):
        raise ValueError(
            f"{_NAME} is a key pair's, but ACTIVITY_JWT_ALGORITHMS names {algorithms[0]}, which"
            " takes a shared secret: set it to RS256, ES256, ..."
        )
    return text


def _public_key(text: str, algorithms: Sequence[str]) -> object:
    wanted = ", ".join(algorithms)
    if "PRIVATE KEY-----" in text:
        raise ValueError(f"{_NAME} is a private key; set the public one: {_TO_PUBLIC}")
    if "-----BEGIN CERTIFICATE" in text:
        raise ValueError(
            f"{_NAME} is a certificate; set its public key:"
            " `openssl x509 -in cert.pem -noout -pubkey` prints it"
        )
    if "-----BEGIN" not in text:
        raise ValueError(
            f"{_NAME} is no public key in PEM (-----BEGIN PUBLIC KEY-----), as {wanted} needs;"
            " a shared secret goes with ACTIVITY_JWT_ALGORITHMS=HS256"
        )
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError(
            f"{_NAME} cannot be read as a public key in PEM: it is cut off, or not as it was made"
        ) from None
    if isinstance(key, RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        raise ValueError(
            f"{_NAME} is an RSA key of {key.key_size} bits; it must have {_LEAST_RSA_BITS} or more"
        )
    for name in algorithms:
        if not fits(key, name):
            raise ValueError(f"{_NAME} is {_kind(key)} key, which cannot verify {name}")
    return key


def _kind(key: object) -> str:
    if isinstance(key, RSAPublicKey):
        return f"an RSA ({key.key_size} bits)"
    if isinstance(key, EllipticCurvePublicKey):
        return f"an EC ({key.curve.name})"
    return f"an {type(key).__name__.lstrip('_').removesuffix('PublicKey')}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
