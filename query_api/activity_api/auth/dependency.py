"""Who asks, and whether they may: docs/permissions.md is this page in words."""

import re
from typing import Annotated

from fastapi import Depends, Header, Request

from activity_api.auth.caller import EXPORT, READ, READ_ANY_ORG, Caller, TokenError, Verifier
from activity_api.errors import forbidden, not_found, unauthenticated

# RFC 6750 §2.1, with the scheme's case and the blanks of RFC 9110 §11.4.
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*) *", re.IGNORECASE)
_LONGEST = (1 << 20) + 64


#: Documents the header; what is read is the request's, since a header may repeat.
_Authorization = Annotated[str | None, Header()]


async def current_member(
    request: Request, org_id: str, authorization: _Authorization = None
) -> Caller:
    """Raises ApiError: 401 without a valid token or key, 404 for another org than its own (that it
    exists is nobody else's business, and nothing is looked up to say so)."""
    return await _member(request, org_id)


async def current_caller(
    request: Request, org_id: str, authorization: _Authorization = None
) -> Caller:
    """Who may read others' activity, too. Raises ApiError: 403 besides."""
    return _reader(await _member(request, org_id))


async def current_reader_of_user(
    request: Request, org_id: str, user_id: str, authorization: _Authorization = None
) -> Caller:
    """Who may read that user's activity: the user, and whoever may read others'. Raises ApiError:
    403 besides."""
    caller = await _member(request, org_id)
    return caller if caller.user_id == user_id else _reader(caller)


async def current_exporter(
    request: Request, org_id: str, authorization: _Authorization = None
) -> Caller:
    """Who may export. Raises ApiError: 403 besides."""
    caller = await _member(request, org_id)
    if EXPORT not in caller.permissions:
        raise forbidden(EXPORT)
    return caller


# Each is one dependency and not a chain: FastAPI takes longer over one than a token does.
CurrentMember = Annotated[Caller, Depends(current_member)]
CurrentCaller = Annotated[Caller, Depends(current_caller)]
CurrentExporter = Annotated[Caller, Depends(current_exporter)]
CurrentReaderOfUser = Annotated[Caller, Depends(current_reader_of_user)]


def may_see(caller: Caller, workspace_id: str, permission: str = READ) -> None:
    """Raises ApiError (403) where the token is limited to other workspaces."""
    if caller.workspaces is not None and workspace_id not in caller.workspaces:
        raise forbidden(permission)


async def _member(request: Request, org_id: str) -> Caller:
    state = request.state
    if not hasattr(state, "caller"):
        token = _bearer(request.headers.getlist("authorization"))
        verifier: Verifier = request.app.state.verifier
        try:
            state.caller = await verifier.verify(token)
        except TokenError as error:
            raise unauthenticated(str(error)) from None
    caller: Caller = state.caller
    if caller.org_id != org_id and not _is_operator(caller, request.app.state.operator_org):
        raise not_found("org", org_id)
    return caller


def _reader(caller: Caller) -> Caller:
    if READ not in caller.permissions:
        raise forbidden(READ)
    return caller


def _is_operator(caller: Caller, operator_org: str | None) -> bool:
    """Of the operator's org, and with both permissions: those alone anybody's issuer could write.
    One that is limited to workspaces is so in its own org."""
    return (
        operator_org is not None
        and caller.org_id == operator_org
        and caller.workspaces is None
        and {READ, READ_ANY_ORG} <= caller.permissions
    )


def _bearer(values: list[str]) -> str:
    if len(values) > 1:
        raise unauthenticated("More than one Authorization header")
    value = values[0] if values else ""
    if value.lower().startswith("bearer") and len(value) > _LONGEST:
        raise unauthenticated("The token is too long")
    match = _BEARER.fullmatch(value)
    if match is None:
        is_bearer = value[:7].lower() == "bearer " and value[7:].strip()
        raise unauthenticated("The header has no bearer token" if is_bearer else None)
    return match[1]
