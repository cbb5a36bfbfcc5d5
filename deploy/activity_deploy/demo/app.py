"""The FastAPI application, and the one line that has it observed."""

from fastapi import APIRouter, Depends, FastAPI, Response

from activity_api.settings import TokenSettings
from activity_deploy.demo.auth import authenticate
from activity_deploy.demo.errors import add_error_handlers
from activity_deploy.demo.platform import Platform
from activity_deploy.demo.runs import add_runs
from activity_deploy.demo.things import add_things
from activity_emit import ActivityMiddleware, Publisher, prometheus
from activity_telemetry.exposition import CONTENT_TYPE


def create_app(tokens: TokenSettings, publisher: Publisher | None = None) -> FastAPI:
    """A new, empty platform. `publisher`: None is a KafkaPublisher set up by the environment."""
    app = FastAPI(title="Activity demo service", version="1", docs_url=None, redoc_url=None)
    platform = Platform()
    router = APIRouter(dependencies=[Depends(authenticate(tokens))])
    add_runs(router, platform)
    add_things(router, platform)
    app.include_router(router)
    add_error_handlers(app)

    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(prometheus(), headers={"Content-Type": CONTENT_TYPE})

    app.add_middleware(ActivityMiddleware, publisher=publisher)
    return app
