"""Bearer tokens: the verifier that the settings ask for, and tokens of our own."""

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic, time

import jwt

from activity_api.auth.caller import READ, Caller, KeysUnavailableError, TokenError, Verifier
from activity_api.auth.issuer import Issuer
from activity_api.auth.issuer_keys import IssuerKeys
from activity_api.auth.jwt_verifier import JwtVerifier, KeySource, LocalKey
from activity_api.settings import TokenSettings
from activity_api.verification_key import verification_key

__all__ = ["READ", "Caller", "KeysUnavailableError", "TokenError", "Verifier", "mint", "verifier"]


def verifier(
    settings: TokenSettings,
    *,
    clock: Callable[[], float] = time,
    monotonic_clock: Callable[[], float] = monotonic,
) -> Verifier:
    """The one that the settings ask for. Fetches nothing yet. `clock`: seconds since 1970."""
    keys: KeySource
    if settings.key is None:
        keys = IssuerKeys(settings, Issuer(settings), monotonic_clock)
    else:
        keys = LocalKey(verification_key(settings.key.get_secret_value(), settings.algorithms))
    return JwtVerifier(settings, keys, clock)


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
