"""Who asks, and whether they may: a verified bearer token of this org with the permission."""

from typing import Annotated

from fastapi import Depends, Header, Request

from activity_api.auth.tokens import READ, Caller, TokenError, Verifier
from activity_api.errors import forbidden, not_found, unauthenticated


async def current_caller(
    request: Request, org_id: str, authorization: Annotated[str | None, Header()] = None
) -> Caller:
    """Raises ApiError: 401 without a valid token, 404 for another org than the token's (that it
    exists is nobody else's business), 403 without the permission."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthenticated()
    verifier: Verifier = request.app.state.verifier
    try:
        caller = await verifier.verify(token.strip())
    except TokenError as error:
        raise unauthenticated(str(error)) from None
    if caller.org_id != org_id:
        raise not_found("org", org_id)
    if READ not in caller.permissions:
        raise forbidden(READ)
    return caller


CurrentCaller = Annotated[Caller, Depends(current_caller)]


def may_see(caller: Caller, workspace_id: str) -> None:
    """Raises ApiError (403) where the token is limited to other workspaces."""
    if caller.workspaces is not None and workspace_id not in caller.workspaces:
        raise forbidden(READ)
