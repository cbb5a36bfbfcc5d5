"""JSON Web Tokens: the signature first, then the claims."""

from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import jwt
import orjson

from activity_api.auth.caller import Caller, TokenError
from activity_api.auth.claims import caller_of
from activity_api.settings import TokenSettings

_JWS = jwt.PyJWS()
_NOT_A_TOKEN = "The token is no JSON Web Token"  # noqa: S105 - a sentence
_NOT_SIGNED = "The token is not signed with a key of its issuer"
_LONGEST_KEY_ID = 512
# RFC 8725 §3.11: the media types of access tokens; others (dpop+jwt, logout+jwt) are not for us.
_TYPES = frozenset({None, "jwt", "at+jwt"})


class KeySource(Protocol):
    """Where the keys are."""

    def open(self) -> None:
        """Begin what takes time. Needs a running event loop."""

    async def find(self, key_id: str | None, algorithm: str) -> Sequence[Any]:
        """Keys that may have signed. Raises TokenError where there is none,
        KeysUnavailableError where that is not known; waits for the issuer only in that case."""

    async def close(self) -> None:
        """End what runs in the background."""


class LocalKey:
    """The one key of the settings."""

    def __init__(self, key: Any) -> None:
        self._keys = (key,)

    def open(self) -> None:
        """It is there."""

    async def find(self, key_id: str | None, algorithm: str) -> Sequence[Any]:
        """It, whatever the token calls it."""
        return self._keys

    async def close(self) -> None:
        """Nothing runs."""


class JwtVerifier:
    """`clock`: seconds since 1970."""

    def __init__(
        self, settings: TokenSettings, keys: KeySource, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._keys = keys
        self._clock = clock

    def open(self) -> None:
        """Begin to fetch the keys, where there are any to fetch."""
        self._keys.open()

    async def verify(self, token: str) -> Caller:
        """Raises TokenError, KeysUnavailableError."""
        # Before anything is decoded: what is not ours to read costs nothing.
        if len(token) > self._settings.max_bytes:
            raise TokenError(f"The token is longer than {self._settings.max_bytes} bytes")
        algorithm, key_id = self._header(token)
        payload = _payload(token, algorithm, await self._keys.find(key_id, algorithm))
        return caller_of(payload, self._settings, self._clock())

    async def close(self) -> None:
        """End what runs in the background."""
        await self._keys.close()

    def _header(self, token: str) -> tuple[str, str | None]:
        """Its algorithm and key id."""
        header = _unverified_header(token)
        # RFC 7515 §4.1.11: extensions that must be understood; we understand none.
        if "crit" in header or "b64" in header:
            raise TokenError("The token's header asks for an extension that is not supported")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in self._settings.algorithms:
            raise TokenError("The token's algorithm is not allowed")
        is_id = isinstance(key_id, str) and len(key_id) <= _LONGEST_KEY_ID
        if not (is_id or key_id is None):
            raise TokenError(_NOT_SIGNED)
        self._check_type(header.get("typ"))
        return algorithm, key_id

    def _check_type(self, written: object) -> None:
        is_text = isinstance(written, str)
        type_ = str(written).lower().removeprefix("application/") if is_text else written
        wanted = self._settings.typ
        allowed = _TYPES if wanted is None else (wanted.lower().removeprefix("application/"),)
        if not (is_text or written is None) or type_ not in allowed:
            raise TokenError("The token is of another type (typ)")


def _unverified_header(token: str) -> dict[str, Any]:
    # PyJWT's own way to it decodes and checks all three parts, and `decode` does so once more.
    written, dot, _ = token.partition(".")
    try:
        header = orjson.loads(urlsafe_b64decode(written + "=" * (-len(written) % 4)))
    except ValueError:
        header = None
    if not dot or not isinstance(header, dict):
        raise TokenError(_NOT_A_TOKEN)
    return header


def _payload(token: str, algorithm: str, keys: Sequence[Any]) -> bytes:
    for key in keys:
        try:
            payload: bytes = _JWS.decode(token, key, algorithms=[algorithm])
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            continue
        return payload
    raise TokenError(_NOT_SIGNED)
