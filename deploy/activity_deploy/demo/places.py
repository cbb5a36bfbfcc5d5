"""Where a request goes, read off its path: the key of a thing."""

from collections.abc import Callable
from typing import Annotated, NamedTuple

from fastapi import Depends, Path

from activity_deploy.demo.platform import Key

ORG = "/v1/orgs/{org_id}"
WORKSPACE = ORG + "/workspaces/{workspace_id}"
APP = WORKSPACE + "/apps/{app_id}"
ENDPOINT = APP + "/endpoints/{endpoint_id}"
AUGMENTATION = WORKSPACE + "/augmentations/{augmentation_id}"

Id = Annotated[str, Path(min_length=1, max_length=64)]


def org(org_id: Id) -> Key:
    """An organisation; every one there is a token for exists."""
    return (("org", org_id),)


def workspace(parent: Annotated[Key, Depends(org)], workspace_id: Id) -> Key:
    """A workspace of an organisation."""
    return (*parent, ("workspace", workspace_id))


def app(parent: Annotated[Key, Depends(workspace)], app_id: Id) -> Key:
    """An app in a workspace."""
    return (*parent, ("app", app_id))


def endpoint(parent: Annotated[Key, Depends(app)], endpoint_id: Id) -> Key:
    """An endpoint of an app."""
    return (*parent, ("endpoint", endpoint_id))


def augmentation(parent: Annotated[Key, Depends(workspace)], augmentation_id: Id) -> Key:
    """An augmentation in a workspace."""
    return (*parent, ("augmentation", augmentation_id))


class Kind(NamedTuple):
    """A kind of thing: its name, the path of one, what it is in, and one."""

    name: str
    path: str
    within: Callable[..., Key]
    one: Callable[..., Key]


KINDS = (
    Kind("workspace", WORKSPACE, org, workspace),
    Kind("app", APP, workspace, app),
    Kind("endpoint", ENDPOINT, app, endpoint),
    Kind("augmentation", AUGMENTATION, workspace, augmentation),
)
