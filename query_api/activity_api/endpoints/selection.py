"""Whose activity: one named dependency for each kind of scope, the caller's right to it checked."""

from dataclasses import asdict, dataclass, replace
from typing import Annotated, Self

from fastapi import Depends, Query

from activity_api.auth.dependency import (
    CurrentCaller,
    CurrentMember,
    CurrentReaderOfUser,
    may_see,
)
from activity_api.endpoints.parameters import SearchRequest, check_action
from activity_api.queries.filter import ActivityFilter


@dataclass(frozen=True, slots=True)
class Scope:
    """`filter`: what to show. `entity`: whose activity that is, at any time; where none was ever
    seen, the thing of that `kind` does not exist. Org and caller exist without any: None."""

    filter: ActivityFilter
    entity: ActivityFilter
    kind: str | None = None

    @classmethod
    def of(cls, entity: ActivityFilter, kind: str | None = None) -> Self:
        """All activity of an entity."""
        return cls(entity, entity, kind)

    @property
    def id(self) -> str:
        """The entity's id."""
        return str(getattr(self.entity, f"{self.kind}_id"))

    def search(self, request: SearchRequest) -> Self:
        """Of that only what a search asks for."""
        return replace(self, filter=replace(self.filter, **asdict(request)))

    def in_workspace(self, workspace_id: str | None) -> Self:
        """Of that only what happened in one workspace, None for wherever."""
        if workspace_id is None:
            return self
        return replace(self, filter=replace(self.filter, workspace_id=workspace_id))


async def org_scope(org_id: str, caller: CurrentCaller) -> Scope:
    """The org, as far as the caller may see it."""
    return Scope.of(ActivityFilter(org_id=org_id, workspaces=caller.workspaces))


async def workspace_scope(org_id: str, workspace_id: str, caller: CurrentCaller) -> Scope:
    may_see(caller, workspace_id)
    return Scope.of(ActivityFilter(org_id=org_id, workspace_id=workspace_id), "workspace")


async def user_scope(org_id: str, user_id: str, caller: CurrentReaderOfUser) -> Scope:
    """A user in all workspaces that the caller may see."""
    entity = ActivityFilter(org_id=org_id, user_id=user_id, workspaces=caller.workspaces)
    return Scope.of(entity, "user")


async def app_scope(org_id: str, workspace_id: str, app_id: str, caller: CurrentCaller) -> Scope:
    may_see(caller, workspace_id)
    entity = ActivityFilter(org_id=org_id, workspace_id=workspace_id, app_id=app_id)
    return Scope.of(entity, "app")


async def endpoint_scope(
    org_id: str, workspace_id: str, app_id: str, endpoint_id: str, caller: CurrentCaller
) -> Scope:
    may_see(caller, workspace_id)
    entity = ActivityFilter(
        org_id=org_id, workspace_id=workspace_id, app_id=app_id, endpoint_id=endpoint_id
    )
    return Scope.of(entity, "endpoint")


async def augmentation_scope(
    org_id: str, workspace_id: str, augmentation_id: str, caller: CurrentCaller
) -> Scope:
    may_see(caller, workspace_id)
    entity = ActivityFilter(
        org_id=org_id, workspace_id=workspace_id, augmentation_id=augmentation_id
    )
    return Scope.of(entity, "augmentation")


async def action_scope(org_id: str, workspace_id: str, action: str, caller: CurrentCaller) -> Scope:
    """One action in a workspace; the entity is the workspace."""
    may_see(caller, workspace_id)
    check_action("path", action)
    entity = ActivityFilter(org_id=org_id, workspace_id=workspace_id)
    return Scope(replace(entity, action=action), entity, "workspace")


async def resource_scope(
    org_id: str, workspace_id: str, resource_id: str, caller: CurrentCaller
) -> Scope:
    may_see(caller, workspace_id)
    entity = ActivityFilter(org_id=org_id, workspace_id=workspace_id, resource_id=resource_id)
    return Scope.of(entity, "resource")


async def caller_scope(org_id: str, caller: CurrentMember) -> Scope:
    """The caller's own activity: of its user, or of its principal where there is no user."""
    principal_id = None if caller.user_id else caller.subject
    return Scope.of(
        ActivityFilter(
            org_id=org_id,
            user_id=caller.user_id,
            principal_id=principal_id,
            workspaces=caller.workspaces,
        )
    )


async def workspace_filter(
    caller: CurrentMember,
    workspace_id: Annotated[str | None, Query(description="Filter by workspace")] = None,
) -> str | None:
    """A workspace to narrow a user's activity to."""
    if workspace_id is not None:
        may_see(caller, workspace_id)
    return workspace_id


OrgScope = Annotated[Scope, Depends(org_scope)]
WorkspaceScope = Annotated[Scope, Depends(workspace_scope)]
UserScope = Annotated[Scope, Depends(user_scope)]
AppScope = Annotated[Scope, Depends(app_scope)]
EndpointScope = Annotated[Scope, Depends(endpoint_scope)]
AugmentationScope = Annotated[Scope, Depends(augmentation_scope)]
ActionScope = Annotated[Scope, Depends(action_scope)]
ResourceScope = Annotated[Scope, Depends(resource_scope)]
CallerScope = Annotated[Scope, Depends(caller_scope)]
WorkspaceFilter = Annotated[str | None, Depends(workspace_filter)]
