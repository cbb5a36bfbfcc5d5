"""The consumer as a program: settings, logs, exit status."""

import asyncio
import gc
import socket
import sys

import uvloop
from clickhouse_connect.driver import options

from activity_consume.consumer import Components, Service
from activity_consume.errors import StopError
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_http.server import listening
from activity_kafka.settings import KafkaSettings
from activity_telemetry.logs import configure_logging
from activity_telemetry.settings import LogSettings, TraceSettings
from activity_telemetry.traces import traces

_GC_YOUNG = 50_000


def consume(components: Components | None = None) -> int:
    """Run until told to stop. The exit status: 0, or 1 where it must not go on.

    Raises pydantic's ValidationError for wrong settings.
    """
    settings = ConsumerSettings()
    configure_logging(LogSettings(), own="activity_consume")
    traces.start(TraceSettings(), "activity-consumer")
    # clickhouse_connect loads pandas, where there is one, at its first insert: in the middle of the
    # event loop, for seconds in which no heartbeat is sent.
    getattr(options, "pd", None)
    # What is loaded by now stays, and what comes is mostly freed by its count: with Python's own
    # thresholds a fifth of the time under load goes into looking through it for nothing.
    gc.freeze()
    gc.set_threshold(_GC_YOUNG, 20, 100)
    try:
        service = Service(KafkaSettings(), ClickHouseSettings(), settings, components)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(service.run(*_sockets(settings)))
    except StopError as error:
        sys.stderr.write(f"consumer: {error}\n")
        return 1
    finally:
        traces.stop()
    return 0


def _sockets(settings: ConsumerSettings) -> list[socket.socket]:
    """Of the health pages; and of the metrics, where they have one. Raises StopError."""
    sockets = [listen(settings.host, settings.port)]
    if settings.metrics_port is not None:
        sockets.append(listen(settings.host, settings.metrics_port, "METRICS_PORT"))
    return sockets


def listen(host: str, port: int, setting: str = "PORT") -> socket.socket:
    """A socket that is bound; `setting`: what to change where it cannot be. Raises StopError."""
    try:
        return listening(host, port)
    except OSError as error:
        raise StopError(
            f"cannot listen on {host}:{port}: {error.strerror}; set ACTIVITY_CONSUMER_{setting}"
        ) from error
