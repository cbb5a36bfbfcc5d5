"""The read API as `activity serve` runs it: with who reads as activity of the org."""

import sys

from fastapi import FastAPI
from pydantic import ValidationError

from activity_api import app as api
from activity_api import server
from activity_api.settings import Settings, SettingsError
from activity_deploy.reading.publisher import ReadPublisher
from activity_deploy.reading.read import FILTERS, RESOURCE_TYPE, principal_of
from activity_deploy.reading.settings import ReadingSettings
from activity_emit import EmitSettings, KafkaPublisher, Publisher, observe
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings, TransportSettings
from activity_spool.settings import SpoolSettings

# The server is gone within 5 seconds of a SIGTERM, also where Kafka is silent.
_STOP_S = 1.5


def from_environment() -> FastAPI:
    """What a worker process starts. Raises SettingsError, ValidationError."""
    app = api.from_environment()
    settings, emit = ReadingSettings(), EmitSettings()
    if settings.enabled and emit.enabled:
        observe_reads(app, settings, emit)
    return app


def observe_reads(
    app: FastAPI,
    settings: ReadingSettings,
    emit: EmitSettings,
    publisher: Publisher | None = None,
) -> ReadPublisher:
    """Let the API record its reads. `publisher`: by default Kafka's, of the environment. Raises
    ValidationError for a setting of it that cannot be."""
    mine = emit.model_copy(
        update={
            "query_allow": emit.query_allow | FILTERS,
            "collections": {**emit.collections, RESOURCE_TYPE: RESOURCE_TYPE},
            "visitors": False,  # ReadPublisher decides, by what became of the read
            "websockets": False,
            "stop_timeout_s": min(emit.stop_timeout_s, _STOP_S),
        }
    )
    reads = ReadPublisher(
        publisher or KafkaPublisher(emit=mine), settings.window_s, visitors=emit.visitors
    )
    observe(app, publisher=reads, settings=mine, principal=principal_of)
    return reads


def serve() -> int:
    """The exit status. Raises ValidationError for a setting of the emitter that cannot be."""
    try:
        Settings.from_environment()
    except SettingsError as error:
        sys.stderr.write(f"query_api: {error}\n")
        return 2
    if ReadingSettings().enabled:
        # Here, where somebody reads it, and not in each worker.
        for part in (EmitSettings, KafkaSettings, SpoolSettings, TransportSettings):
            part()
        try:
            KafkaSecuritySettings()
        except ValidationError as error:
            if any(one["loc"] for one in error.errors(include_url=False, include_input=False)):
                raise  # else a secret's file is not there yet: the events wait
    return server.serve(f"{__name__}:from_environment")
