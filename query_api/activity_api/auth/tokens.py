"""Bearer tokens: who is asking, and what they may see."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import jwt

from activity_api.settings import TokenSettings

READ = "activity:read"


class TokenError(Exception):
    """The token is not valid; the text says why."""


class KeysUnavailable(Exception):
    """The issuer's keys cannot be fetched: nobody knows whether the token is valid."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified caller. `workspaces`: all it may see, or None for every one of the org."""

    subject: str
    org_id: str
    permissions: frozenset[str]
    workspaces: tuple[str, ...] | None
    principal_type: str

    @property
    def user_id(self) -> str | None:
        """The person behind it; None for a service, an API key, ..."""
        return self.subject if self.principal_type == "user" else None


class Verifier(Protocol):
    """Turns a token into its caller. Raises TokenError, KeysUnavailable."""

    async def verify(self, token: str) -> Caller: ...


def verifier(settings: TokenSettings) -> Verifier:
    """The one that the settings ask for."""
    return _Jwks(settings) if settings.jwks_url else _LocalKey(settings)


class _LocalKey:
    def __init__(self, settings: TokenSettings) -> None:
        self._settings = settings
        self._key = settings.key.get_secret_value() if settings.key else ""

    async def verify(self, token: str) -> Caller:
        return _caller(token, self._key, self._settings)


class _Jwks:
    """Keys by their `kid`, kept for five minutes; an unknown one fetches anew, at most every 30 s.
    PyJWT's client blocks, so it runs in a thread where it may have to fetch."""

    def __init__(self, settings: TokenSettings) -> None:
        self._settings = settings
        self._client = jwt.PyJWKClient(settings.jwks_url or "", timeout=3)

    async def verify(self, token: str) -> Caller:
        try:
            key = await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)
        except jwt.PyJWKClientConnectionError as error:
            raise KeysUnavailable(str(error)) from error
        except jwt.PyJWTError as error:
            raise TokenError("The token is not signed with a key of its issuer") from error
        return _caller(token, key, self._settings)


def _caller(token: str, key: Any, settings: TokenSettings) -> Caller:
    try:
        claims = jwt.decode(
            token,
            key,
            algorithms=list(settings.algorithms),
            issuer=settings.issuer,
            audience=settings.audience,
            options={"require": ["exp", "iss", "aud", "sub", "org_id"]},
        )
    except jwt.ExpiredSignatureError as error:
        raise TokenError("The token has expired") from error
    except (jwt.PyJWTError, ValueError) as error:
        raise TokenError(str(error) or "The token is not valid") from error
    org_id, workspaces = claims["org_id"], claims.get("workspaces")
    permissions = claims.get("permissions") or ()
    if not _is_texts((org_id, claims["sub"])) or not claims["sub"] or not org_id:
        raise TokenError("The claims sub and org_id must be text")
    if not _is_texts(permissions) or not (workspaces is None or _is_texts(workspaces)):
        raise TokenError("The claims permissions and workspaces must be lists of text")
    return Caller(
        subject=claims["sub"],
        org_id=org_id,
        permissions=frozenset(permissions),
        workspaces=None if workspaces is None else tuple(sorted(set(workspaces))),
        principal_type=str(claims.get("principal_type") or "user"),
    )


def _is_texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_text, value))


def _is_text(value: object) -> bool:
    """JSON can hold a lone surrogate, UTF-8 cannot: no id is one, and no query could ask for it."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def mint(
    settings: TokenSettings,
    *,
    org_id: str,
    subject: str,
    now: datetime,
    permissions: tuple[str, ...] = (READ,),
    workspaces: tuple[str, ...] | None = None,
    principal_type: str = "user",
    lives: timedelta = timedelta(hours=12),
    **claims: str,
) -> str:
    """A token that `verifier(settings)` accepts: for the local stack and for tests, where the key
    is at hand. `claims`: more of them, such as `jti` and `token_type`."""
    if settings.key is None:
        raise TokenError("Tokens are minted with ACTIVITY_JWT_KEY, which is not set")
    limited = {} if workspaces is None else {"workspaces": list(workspaces)}
    payload = {
        "iss": settings.issuer,
        "aud": settings.audience,
        "sub": subject,
        "org_id": org_id,
        "permissions": list(permissions),
        "principal_type": principal_type,
        "iat": now,
        "exp": now + lives,
        **limited,
        **claims,
    }
    return jwt.encode(payload, settings.key.get_secret_value(), settings.algorithms[0])
