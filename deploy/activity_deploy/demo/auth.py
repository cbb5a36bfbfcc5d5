"""Who calls: the bearer token, verified as the query API does it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

import jwt
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from activity_api.auth.tokens import Caller, TokenError, verifier
from activity_api.settings import TokenSettings
from activity_deploy.demo.errors import RefusalError, not_found
from activity_emit import Principal
from activity_schemas.errors import AUTHENTICATION_FAILED, FORBIDDEN

Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


def authenticate(settings: TokenSettings) -> Callable[..., Awaitable[None]]:
    """A dependency: the token's principal goes into `request.state`, where the middleware looks.

    Refuses with 401 (no token, or not a good one), 404 (another org's path) and 403 (a workspace
    the token is not for).
    """
    tokens = verifier(settings)

    async def principal(request: Request, credentials: Credentials) -> None:
        if credentials is None:
            raise RefusalError(401, AUTHENTICATION_FAILED, "Authentication required")
        try:
            caller = await tokens.verify(credentials.credentials)
        except TokenError as error:
            raise RefusalError(401, AUTHENTICATION_FAILED, str(error)) from error
        request.state.principal = _principal(caller, credentials.credentials)
        org_id = request.path_params["org_id"]
        if org_id != caller.org_id:
            raise not_found("org", org_id)
        workspace_id = request.path_params.get("workspace_id")
        if workspace_id and caller.workspaces is not None and workspace_id not in caller.workspaces:
            text = "You don't have permission to perform this action"
            raise RefusalError(
                403, FORBIDDEN, text, required_permission=f"workspace:{workspace_id}"
            )

    return principal


def _principal(caller: Caller, token: str) -> Principal:
    # Of the token itself, which is verified by now, what Caller leaves out.
    claims = jwt.decode(token, options={"verify_signature": False})
    return Principal(
        user_id=caller.user_id,
        principal_type=caller.principal_type,
        principal_id=caller.subject,
        token_id=claims.get("jti"),
        token_type=claims.get("token_type"),
        org_id=caller.org_id,
    )
