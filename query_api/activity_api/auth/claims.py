"""What a token says, taken only as RFC 7519 and the event's schema write it."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from activity_api.auth.caller import Caller, TokenError
from activity_api.settings import TokenSettings

# What the event's own ids and words may be (activity_schemas.event): whoever has written events
# can read them. JSON's lone surrogates are refused by the parser, as they are no text.
Id = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Word = Annotated[str, StringConstraints(min_length=1, max_length=128)]
# What a person has called something: on one line, so that a list stays a list.
Name = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds = int | float  # since 1970; RFC 7519's NumericDate


class _Claims(BaseModel):
    """Other claims are the issuer's own and are not looked at."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    iss: str
    aud: str | list[str]
    exp: Seconds
    nbf: Seconds | None = None
    iat: Seconds | None = None
    sub: Id
    org_id: Id
    permissions: list[Word] | None = None
    workspaces: list[Id] | None = None
    principal_type: Word | None = None


def caller_of(payload: bytes, settings: TokenSettings, now: float) -> Caller:
    """The caller that a payload names, whose signature is verified. `now`: seconds since 1970.

    Raises TokenError.
    """
    try:
        claims = _Claims.model_validate_json(payload)
    except ValidationError as error:
        raise TokenError(_what_is_wrong(error)) from None
    _check_times(claims, settings, now)
    if claims.iss != settings.issuer:
        raise TokenError("The token is of another issuer")
    audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
    if settings.audience not in audiences:
        raise TokenError("The token is for another audience")
    workspaces = claims.workspaces
    return Caller(
        subject=claims.sub,
        org_id=claims.org_id,
        permissions=frozenset(claims.permissions or ()),
        workspaces=None if workspaces is None else tuple(sorted(set(workspaces))),
        principal_type=claims.principal_type or "user",
    )


def _check_times(claims: _Claims, settings: TokenSettings, now: float) -> None:
    # Only compared, never added to: a claim may have hundreds of digits.
    earliest, latest = now - settings.leeway_s, now + settings.leeway_s
    if claims.exp <= earliest:
        raise TokenError("The token has expired")
    if claims.nbf is not None and claims.nbf > latest:
        raise TokenError("The token is not valid yet")
    if claims.iat is not None and claims.iat > latest:
        raise TokenError("The token was issued in the future")
    if settings.max_age_s is not None:
        if claims.iat is None:
            raise TokenError("The token does not say when it was issued (iat)")
        if claims.iat <= earliest - settings.max_age_s:
            raise TokenError("The token was issued too long ago")


def _what_is_wrong(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if not first["loc"]:
        return "The claims are no JSON object"
    kind = "is missing" if first["type"] == "missing" else "is not what it must be"
    return f"The claim {first['loc'][0]} {kind}"
