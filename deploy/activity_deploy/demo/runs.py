"""Execute an endpoint, trigger an augmentation: what only the handler knows, told by it."""

from collections.abc import Mapping
from string import Template
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from activity_deploy.demo import places
from activity_deploy.demo.errors import RefusalError
from activity_deploy.demo.platform import Key, Platform
from activity_emit import activity
from activity_schemas.errors import INTERNAL_SERVER_ERROR

STAGES = ("read", "fill in", "count")


class Inputs(BaseModel):
    """Values for the names in an endpoint's template."""

    inputs: dict[str, str] = {}


class Execution(BaseModel):
    """What an execution made, and what it used: words, which stand for a model's tokens here."""

    execution_id: str
    output: str
    token_usage: dict[str, int]


class Triggered(BaseModel):
    """Accepted; an augmentation runs after the answer."""

    execution_id: str


def add_runs(router: APIRouter, platform: Platform) -> None:
    """The two routes."""

    @router.post(places.ENDPOINT + "/execute", summary="Execute endpoint", tags=["endpoint"])
    async def execute(key: Annotated[Key, Depends(places.endpoint)], body: Inputs) -> Execution:
        execution_id = f"x-{uuid4().hex[:12]}"
        activity.set(execution_id=execution_id, stages_completed=0, total_stages=len(STAGES))
        template = platform.get(key).template
        activity.set(stages_completed=1)
        output = _fill_in(template, body.inputs)
        activity.set(stages_completed=2)
        usage = _count(body.inputs, output)
        activity.set(stages_completed=3, token_usage=usage)
        return Execution(execution_id=execution_id, output=output, token_usage=usage)

    @router.post(
        places.AUGMENTATION + "/trigger",
        status_code=202,
        summary="Trigger augmentation",
        tags=["augmentation"],
    )
    async def trigger(key: Annotated[Key, Depends(places.augmentation)]) -> Triggered:
        augmentation = platform.get(key)
        execution_id = f"t-{uuid4().hex[:12]}"
        # augmentation_id comes from the path, by itself.
        activity.set(execution_id=execution_id, metadata={"augmentation": augmentation.name})
        return Triggered(execution_id=execution_id)


def _fill_in(template: str, inputs: Mapping[str, str]) -> str:
    try:
        # Not str.format: a template from outside could reach any attribute with it.
        return Template(template).substitute(inputs)
    except (KeyError, ValueError) as error:
        text = f"Stage {STAGES[1]!r} failed: the template needs {error}"
        raise RefusalError(500, INTERNAL_SERVER_ERROR, text, stage=STAGES[1]) from error


def _count(inputs: Mapping[str, str], output: str) -> dict[str, int]:
    prompt = sum(len(value.split()) for value in inputs.values())
    completion = len(output.split())
    return {"prompt": prompt, "completion": completion, "total": prompt + completion}
