"""`python -m tests.chaos.emit_service NAME`: a service with the middleware, without the emitter's
protection NAME ('' for all of them)."""

import os
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

from activity_emit import ActivityMiddleware, KafkaPublisher
from tests.chaos.emit_unprotected import COMPONENTS


def service(publisher: KafkaPublisher) -> FastAPI:
    """Its one real route answers with the id that it was asked for."""
    app = FastAPI()

    @app.post("/v1/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}")
    async def app_of(org_id: str, workspace_id: str, app_id: str) -> dict[str, str]:
        return {"org_id": org_id, "workspace_id": workspace_id, "id": app_id}

    @app.get("/numbers")
    async def numbers() -> dict[str, Any]:
        return {"forwarder": publisher.forwarder_pid}

    app.add_middleware(ActivityMiddleware, publisher=publisher)
    return app


if __name__ == "__main__":
    uvicorn.run(
        service(KafkaPublisher(components=COMPONENTS.get(sys.argv[1]))),
        host="127.0.0.1",
        port=int(os.environ["CHAOS_PORT"]),
        access_log=False,
        log_level="warning",
    )
