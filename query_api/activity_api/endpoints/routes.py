"""The 15 endpoints."""

from fastapi import APIRouter, Response

from activity_api.endpoints.examples import LIST, RESPONSES, SUMMARY
from activity_api.endpoints.parameters import Hours, HoursToLookBack, Page, Search
from activity_api.endpoints.route import ActivityRoute
from activity_api.endpoints.selection import (
    ActionScope,
    AppScope,
    AugmentationScope,
    CallerScope,
    EndpointScope,
    OrgScope,
    ResourceScope,
    UserScope,
    WorkspaceFilter,
    WorkspaceScope,
)
from activity_api.endpoints.service import Reader

router = APIRouter(
    prefix="/v1/orgs/{org_id}",
    tags=["Activity"],
    responses=RESPONSES,
    route_class=ActivityRoute,
    generate_unique_id_function=lambda route: route.name,  # client generators name methods so
)


@router.get("/activity", **LIST)
async def get_org_activity(scope: OrgScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get("/activity/summary", **SUMMARY)
async def get_org_activity_summary(
    scope: OrgScope, reader: Reader, hours: HoursToLookBack = 24
) -> Response:
    return await reader.summary(scope, hours)


@router.get("/workspaces/{workspace_id}/activity", **LIST)
async def get_workspace_activity(scope: WorkspaceScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get("/workspaces/{workspace_id}/activity/summary", **SUMMARY)
async def get_workspace_activity_summary(
    scope: WorkspaceScope, reader: Reader, hours: HoursToLookBack = 24
) -> Response:
    return await reader.summary(scope, hours)


@router.get("/users/{user_id}/activity", **LIST)
async def get_user_activity(
    scope: UserScope, workspace_id: WorkspaceFilter, page: Page, reader: Reader
) -> Response:
    return await reader.page(scope.in_workspace(workspace_id), page)


@router.get("/users/{user_id}/activity/summary", **SUMMARY)
async def get_user_activity_summary(
    scope: UserScope, reader: Reader, hours: Hours = 24
) -> Response:
    return await reader.summary(scope, hours)


@router.get("/workspaces/{workspace_id}/apps/{app_id}/activity", **LIST)
async def get_app_activity(scope: AppScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get("/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity", **LIST)
async def get_endpoint_activity(scope: EndpointScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get(
    "/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity/summary", **SUMMARY
)
async def get_endpoint_activity_summary(
    scope: EndpointScope, reader: Reader, hours: Hours = 24
) -> Response:
    return await reader.summary(scope, hours)


@router.get("/workspaces/{workspace_id}/augmentations/{augmentation_id}/activity", **LIST)
async def get_augmentation_activity(
    scope: AugmentationScope, page: Page, reader: Reader
) -> Response:
    return await reader.page(scope, page)


@router.get("/workspaces/{workspace_id}/activity/actions/{action}", **LIST)
async def get_action_activity(scope: ActionScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get("/workspaces/{workspace_id}/resources/{resource_id}/activity", **LIST)
async def get_resource_activity(scope: ResourceScope, page: Page, reader: Reader) -> Response:
    return await reader.page(scope, page)


@router.get("/workspaces/{workspace_id}/activity/search", **LIST)
async def search_workspace_activity(
    scope: WorkspaceScope, search: Search, page: Page, reader: Reader
) -> Response:
    return await reader.page(scope.search(search), page)


@router.get("/me/activity", **LIST)
async def get_my_activity(
    scope: CallerScope, workspace_id: WorkspaceFilter, page: Page, reader: Reader
) -> Response:
    return await reader.page(scope.in_workspace(workspace_id), page)


@router.get("/me/activity/summary", **SUMMARY)
async def get_my_activity_summary(
    scope: CallerScope, reader: Reader, hours: Hours = 24
) -> Response:
    return await reader.summary(scope, hours)
