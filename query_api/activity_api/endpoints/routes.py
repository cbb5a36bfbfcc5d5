"""The 15 endpoints."""

from fastapi import APIRouter, Response

from activity_api.endpoints.examples import LIST, RESPONSES, SUMMARY
from activity_api.endpoints.parameters import Hours, HoursToLookBack, Page, Search
from activity_api.endpoints.route import ActivityRoute
from activity_api.endpoints.selection import (
    ActionSelection,
    AppSelection,
    AugmentationSelection,
    CallerSelection,
    EndpointSelection,
    OrgSelection,
    ResourceSelection,
    UserSelection,
    WorkspaceFilter,
    WorkspaceSelection,
)
from activity_api.endpoints.service import Service

router = APIRouter(
    prefix="/v1/orgs/{org_id}",
    tags=["Activity"],
    responses=RESPONSES,
    route_class=ActivityRoute,
    generate_unique_id_function=lambda route: route.name,  # client generators name methods so
)


@router.get("/activity", **LIST)
async def get_org_activity(selection: OrgSelection, page: Page, service: Service) -> Response:
    return await service.page(selection, page)


@router.get("/activity/summary", **SUMMARY)
async def get_org_activity_summary(
    selection: OrgSelection, service: Service, hours: HoursToLookBack = 24
) -> Response:
    return await service.summary(selection, hours)


@router.get("/workspaces/{workspace_id}/activity", **LIST)
async def get_workspace_activity(
    selection: WorkspaceSelection, page: Page, service: Service
) -> Response:
    return await service.page(selection, page)


@router.get("/workspaces/{workspace_id}/activity/summary", **SUMMARY)
async def get_workspace_activity_summary(
    selection: WorkspaceSelection, service: Service, hours: HoursToLookBack = 24
) -> Response:
    return await service.summary(selection, hours)


@router.get("/users/{user_id}/activity", **LIST)
async def get_user_activity(
    selection: UserSelection, workspace_id: WorkspaceFilter, page: Page, service: Service
) -> Response:
    return await service.page(selection.in_workspace(workspace_id), page)


@router.get("/users/{user_id}/activity/summary", **SUMMARY)
async def get_user_activity_summary(
    selection: UserSelection, service: Service, hours: Hours = 24
) -> Response:
    return await service.summary(selection, hours)


@router.get("/workspaces/{workspace_id}/apps/{app_id}/activity", **LIST)
async def get_app_activity(selection: AppSelection, page: Page, service: Service) -> Response:
    return await service.page(selection, page)


@router.get("/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity", **LIST)
async def get_endpoint_activity(
    selection: EndpointSelection, page: Page, service: Service
) -> Response:
    return await service.page(selection, page)


@router.get(
    "/workspaces/{workspace_id}/apps/{app_id}/endpoints/{endpoint_id}/activity/summary", **SUMMARY
)
async def get_endpoint_activity_summary(
    selection: EndpointSelection, service: Service, hours: Hours = 24
) -> Response:
    return await service.summary(selection, hours)


@router.get("/workspaces/{workspace_id}/augmentations/{augmentation_id}/activity", **LIST)
async def get_augmentation_activity(
    selection: AugmentationSelection, page: Page, service: Service
) -> Response:
    return await service.page(selection, page)


@router.get("/workspaces/{workspace_id}/activity/actions/{action}", **LIST)
async def get_action_activity(selection: ActionSelection, page: Page, service: Service) -> Response:
    return await service.page(selection, page)


@router.get("/workspaces/{workspace_id}/resources/{resource_id}/activity", **LIST)
async def get_resource_activity(
    selection: ResourceSelection, page: Page, service: Service
) -> Response:
    return await service.page(selection, page)


@router.get("/workspaces/{workspace_id}/activity/search", **LIST)
async def search_workspace_activity(
    selection: WorkspaceSelection, search: Search, page: Page, service: Service
) -> Response:
    return await service.page(selection.search(search), page)


@router.get("/me/activity", **LIST)
async def get_my_activity(
    selection: CallerSelection, workspace_id: WorkspaceFilter, page: Page, service: Service
) -> Response:
    return await service.page(selection.in_workspace(workspace_id), page)


@router.get("/me/activity/summary", **SUMMARY)
async def get_my_activity_summary(
    selection: CallerSelection, service: Service, hours: Hours = 24
) -> Response:
    return await service.summary(selection, hours)
