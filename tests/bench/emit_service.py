"""The observed service: `python -m tests.bench.emit_service`, settings by environment.

A FastAPI route that does next to nothing: whatever the middleware costs shows in full.
"""

import os
from typing import Any

import uvicorn
from fastapi import FastAPI

from activity_emit import ActivityMiddleware, KafkaPublisher

# printf's form: which workspace, which app
PATH = "/v1/orgs/acme/workspaces/w%d/apps/a%d"


def service(publisher: KafkaPublisher | None) -> FastAPI:
    """The application, bare without a publisher."""
    app = FastAPI()
    handled = 0

    @app.get("/v1/orgs/{org_id}/workspaces/{workspace_id}/apps/{app_id}")
    async def read_app(org_id: str, workspace_id: str, app_id: str) -> dict[str, str]:
        nonlocal handled
        handled += 1
        return {"org_id": org_id, "workspace_id": workspace_id, "id": app_id}

    @app.get("/numbers")
    async def numbers() -> dict[str, Any]:
        found: dict[str, Any] = {"handled": handled, "pid": os.getpid()}
        if publisher is not None:
            counts = publisher.counts()
            found["counts"] = {name: getattr(counts, name) for name in counts.__slots__}
            found["forwarder"] = publisher.forwarder_pid
        return found

    if publisher is not None:
        app.add_middleware(ActivityMiddleware, publisher=publisher)
    return app


def main() -> None:
    """Serve until SIGTERM."""
    publisher = KafkaPublisher() if os.environ.get("BENCH_EMIT") == "1" else None
    uvicorn.run(
        service(publisher),
        host="127.0.0.1",
        port=int(os.environ["BENCH_PORT"]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
