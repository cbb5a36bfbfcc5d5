"""The application: routes, error answers, health, documents."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import monotonic, time

from fastapi import FastAPI

from activity_api.auth.api_keys import Credentials, api_keys
from activity_api.auth.tokens import verifier
from activity_api.clickhouse.client import ClickHouseClient
from activity_api.clickhouse.schema_check import SchemaCheck
from activity_api.clickhouse.single_flight import SingleFlight
from activity_api.clickhouse.watermark import Watermark
from activity_api.endpoints import health
from activity_api.endpoints.rate_limit import Limits
from activity_api.endpoints.routes import router
from activity_api.error_handlers import add_handlers
from activity_api.metrics import NO_ROUTE, ApiMetrics
from activity_api.observed import ObservedRequests
from activity_api.openapi import docs_page as docs
from activity_api.openapi import document as openapi
from activity_api.request_target import Application
from activity_api.settings import Settings
from activity_api.ui import page
from activity_telemetry.logs import configure_logging
from activity_telemetry.traces import traces

_ROUTERS = (router, health.router, docs.router, page.router)


def create_app(
    settings: Settings,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic_clock: Callable[[], float] = monotonic,
) -> FastAPI:
    """An application with its own connections. `clock`: aware, UTC; `monotonic_clock`: seconds.

    It starts without ClickHouse, too, and answers 503 until it is there.
    """
    metrics = ApiMetrics(route_templates())
    client = ClickHouseClient(settings.clickhouse, settings.query, monotonic_clock, metrics)
    credentials = Credentials(
        verifier(settings.tokens, monotonic_clock=monotonic_clock),
        api_keys(client, settings.api_keys, time, monotonic_clock),
    )
    limits = Limits(settings.limits, monotonic_clock)
    schema = SchemaCheck(client, settings.clickhouse.database, metrics, monotonic_clock)
    watermark = Watermark(client, settings.kafka.topic, monotonic_clock)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        client.open()
        credentials.open()
        looking = asyncio.create_task(schema.drift())
        yield
        looking.cancel()
        await credentials.close()
        await limits.close()
        await watermark.close()
        await client.close()
        traces.stop()

    app = Application(
        title=openapi.TITLE,
        version=openapi.VERSION,
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # a redirect is no documented answer
    )
    app.state.clickhouse = client
    app.state.flights = SingleFlight(settings.clickhouse.ping_after_s)
    app.state.watermark = watermark
    app.state.schema = schema
    app.state.is_drift_fatal = settings.clickhouse.on_drift == "unready"
    app.state.metrics = metrics
    app.state.metrics_port = settings.server.metrics_port
    app.state.limits = limits
    app.state.verifier = credentials
    app.state.operator_org = settings.tokens.operator_org
    app.state.cursor_key = settings.cursor.key.get_secret_value().encode()
    app.state.clock = clock
    for one in _ROUTERS:
        if one is not page.router or settings.server.ui:
            app.include_router(one)
    app.add_middleware(ObservedRequests, metrics=metrics, access_log=settings.server.access_log)
    add_handlers(app)
    return app


def route_templates() -> list[str]:
    """Of all that is served: the labels of the requests' metrics."""
    return [getattr(route, "path", NO_ROUTE) for one in _ROUTERS for route in one.routes]


def from_environment() -> FastAPI:
    """What a worker process starts. Raises SettingsError."""
    settings = Settings.from_environment()
    configure_logging(settings.logs, own="activity_api")
    traces.start(settings.traces, "activity-api")
    return create_app(settings)
