"""An issuer's keys, as RFC 7517 writes them; of these the ones that can verify a token."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import UnsupportedAlgorithm
from jwt.exceptions import PyJWTError

from activity_api.verification_key import ALGORITHMS, fits

_MOST_KEYS = 100
_MOST_OF_ONE_ID = 4  # each one costs a verification
# Never the private ones (d, p, q, ...), also where an issuer shows them by mistake.
_PUBLIC_MEMBERS = ("kty", "n", "e", "crv", "x", "y")
_KEY_TYPES = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}


@dataclass(frozen=True, slots=True)
class _Key:
    key_id: str | None
    algorithm: str
    key: Any


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys, each with one algorithm that it is for."""

    keys: tuple[_Key, ...]

    @classmethod
    def parse(cls, body: bytes, algorithms: Sequence[str]) -> "KeySet":
        """Of all that is in it, what can verify with one of the algorithms.

        Raises ValueError where there is nothing.
        """
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise ValueError("the answer is no JSON") from None
        written = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(written, list):
            raise ValueError("the answer is no JSON Web Key Set")
        found = [
            key
            for jwk in written[:_MOST_KEYS]
            if isinstance(jwk, dict)
            for name in algorithms
            if (key := _read(jwk, name)) is not None
        ]
        if not found:
            raise ValueError(f"the answer has no key for {', '.join(algorithms)}")
        return cls(tuple(found))

    def find(self, key_id: str | None, algorithm: str) -> Sequence[Any]:
        """Keys that may have signed. Without an id only if there is no choice (OpenID Connect
        Core §10.1)."""
        fitting = [it for it in self.keys if it.algorithm == algorithm]
        if key_id is None:
            return [fitting[0].key] if len(fitting) == 1 else []
        return [it.key for it in fitting if it.key_id == key_id][:_MOST_OF_ONE_ID]


def _read(jwk: dict[str, Any], algorithm: str) -> _Key | None:
    """None: not for verifying with this algorithm, or not a key at all."""
    key_id, operations = jwk.get("kid"), jwk.get("key_ops")
    if (
        jwk.get("kty") != _KEY_TYPES[algorithm[:2]]
        or jwk.get("alg") not in (None, algorithm)
        or jwk.get("use") not in (None, "sig")
        or not (key_id is None or isinstance(key_id, str))
        or not (operations is None or (isinstance(operations, list) and "verify" in operations))
    ):
        return None
    public = {name: jwk[name] for name in _PUBLIC_MEMBERS if name in jwk}
    try:
        key = ALGORITHMS[algorithm].from_jwk(public)
    except (PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError, AttributeError):
        return None
    return _Key(key_id, algorithm, key) if fits(key, algorithm) else None
