"""Create, list, read, update and delete, the same for every kind of thing."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from activity_deploy.demo import places
from activity_deploy.demo.platform import Key, Platform, Thing
from activity_emit import activity

Name = Annotated[str, Field(min_length=1, max_length=200)]


class NewThing(BaseModel):
    """`id`: chosen by the service where absent. `template`: for endpoints."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    name: Name
    template: str = ""


class Change(BaseModel):
    """What is absent stays."""

    name: Name | None = None
    template: str | None = None


def add_things(router: APIRouter, platform: Platform) -> None:
    """The routes of all kinds."""
    for kind in places.KINDS:
        _add(router, platform, kind)


def _add(router: APIRouter, platform: Platform, kind: places.Kind) -> None:
    name, path, within, one = kind
    collection = path.rpartition("/")[0]

    @router.post(collection, status_code=201, summary=f"Create {name}", tags=[name])
    async def create(parent: Annotated[Key, Depends(within)], body: NewThing) -> Thing:
        thing = platform.add(parent, name, body.name, body.template, body.id)
        # The path of a creation does not have the new id; only the handler knows it.
        activity.set(resource_type=name, resource_id=thing.id)
        return thing

    @router.get(collection, summary=f"List {name}s", tags=[name])
    async def list_(parent: Annotated[Key, Depends(within)]) -> list[Thing]:
        return platform.within(parent, name)

    @router.get(path, summary=f"Read {name}", tags=[name])
    async def read(key: Annotated[Key, Depends(one)]) -> Thing:
        return platform.get(key)

    @router.patch(path, summary=f"Update {name}", tags=[name])
    async def update(key: Annotated[Key, Depends(one)], change: Change) -> Thing:
        thing = platform.get(key)
        changed = change.model_dump(exclude_none=True)
        for field, value in changed.items():
            setattr(thing, field, value)
        activity.set(metadata={"changed": sorted(changed)})
        return thing

    @router.delete(path, status_code=204, summary=f"Delete {name}", tags=[name])
    async def delete(key: Annotated[Key, Depends(one)]) -> None:
        platform.remove(key)
