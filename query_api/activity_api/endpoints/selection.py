"""Whose activity: one dependency for each kind of selection, the caller's right to it checked."""

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
class Selection:
    """`filter`: what to show. `existence_filter`: whose activity that is, at any time; where it
    finds nothing, the thing of that `kind` does not exist. Org and caller exist anyway: None."""

    filter: ActivityFilter
    existence_filter: ActivityFilter
    kind: str | None = None

    @classmethod
    def of(cls, filter_: ActivityFilter, kind: str | None = None) -> Self:
        """All activity of one thing."""
        return cls(filter_, filter_, kind)

    @property
    def id(self) -> str:
        """The thing's id."""
        return str(getattr(self.existence_filter, f"{self.kind}_id"))

    def search(self, request: SearchRequest) -> Self:
        """Of that only what a search asks for."""
        return replace(self, filter=replace(self.filter, **asdict(request)))

    def in_workspace(self, workspace_id: str | None) -> Self:
        """Of that only what happened in one workspace, None for wherever."""
        if workspace_id is None:
            return self
        return replace(self, filter=replace(self.filter, workspace_id=workspace_id))


async def org_selection(org_id: str, caller: CurrentCaller) -> Selection:
    """The org, as far as the caller may see it."""
    return Selection.of(ActivityFilter(org_id=org_id, workspaces=caller.workspaces))


async def workspace_selection(org_id: str, workspace_id: str, caller: CurrentCaller) -> Selection:
    may_see(caller, workspace_id)
    return Selection.of(ActivityFilter(org_id=org_id, workspace_id=workspace_id), "workspace")


async def user_selection(org_id: str, user_id: str, caller: CurrentReaderOfUser) -> Selection:
    """A user in all workspaces that the caller may see."""
    existence_filter = ActivityFilter(org_id=org_id, user_id=user_id, workspaces=caller.workspaces)
    return Selection.of(existence_filter, "user")


async def app_selection(
    org_id: str, workspace_id: str, app_id: str, caller: CurrentCaller
) -> Selection:
    may_see(caller, workspace_id)
    existence_filter = ActivityFilter(org_id=org_id, workspace_id=workspace_id, app_id=app_id)
    return Selection.of(existence_filter, "app")


async def endpoint_selection(
    org_id: str, workspace_id: str, app_id: str, endpoint_id: str, caller: CurrentCaller
) -> Selection:
    may_see(caller, workspace_id)
    existence_filter = ActivityFilter(
        org_id=org_id, workspace_id=workspace_id, app_id=app_id, endpoint_id=endpoint_id
    )
    return Selection.of(existence_filter, "endpoint")


async def augmentation_selection(
    org_id: str, workspace_id: str, augmentation_id: str, caller: CurrentCaller
) -> Selection:
    may_see(caller, workspace_id)
    existence_filter = ActivityFilter(
        org_id=org_id, workspace_id=workspace_id, augmentation_id=augmentation_id
    )
    return Selection.of(existence_filter, "augmentation")


async def action_selection(
    org_id: str, workspace_id: str, action: str, caller: CurrentCaller
) -> Selection:
    """One action in a workspace; what must exist is the workspace."""
    may_see(caller, workspace_id)
    check_action("path", action)
    existence_filter = ActivityFilter(org_id=org_id, workspace_id=workspace_id)
    return Selection(replace(existence_filter, action=action), existence_filter, "workspace")


async def resource_selection(
    org_id: str, workspace_id: str, resource_id: str, caller: CurrentCaller
) -> Selection:
    may_see(caller, workspace_id)
    existence_filter = ActivityFilter(
        org_id=org_id, workspace_id=workspace_id, resource_id=resource_id
    )
    return Selection.of(existence_filter, "resource")


async def caller_selection(org_id: str, caller: CurrentMember) -> Selection:
    """The caller's own activity: of its user, or of its principal where there is no user."""
    principal_id = None if caller.user_id else caller.subject
    return Selection.of(
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


OrgSelection = Annotated[Selection, Depends(org_selection)]
WorkspaceSelection = Annotated[Selection, Depends(workspace_selection)]
UserSelection = Annotated[Selection, Depends(user_selection)]
AppSelection = Annotated[Selection, Depends(app_selection)]
EndpointSelection = Annotated[Selection, Depends(endpoint_selection)]
AugmentationSelection = Annotated[Selection, Depends(augmentation_selection)]
ActionSelection = Annotated[Selection, Depends(action_selection)]
ResourceSelection = Annotated[Selection, Depends(resource_selection)]
CallerSelection = Annotated[Selection, Depends(caller_selection)]
WorkspaceFilter = Annotated[str | None, Depends(workspace_filter)]
