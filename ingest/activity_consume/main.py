"""The consumer as a program: settings, logs, exit status."""

import asyncio
import gc
import logging
import socket
import sys

import uvloop
from clickhouse_connect.driver import options

from activity_consume.consumer import Components, Service
from activity_consume.errors import StopError
from activity_consume.logs import OneLine, Quiet
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_kafka.settings import KafkaSettings

_GC_YOUNG = 50_000


def consume(components: Components | None = None) -> int:
    """Run until told to stop. The exit status: 0, or 1 where it must not go on.

    Raises pydantic's ValidationError for wrong settings.
    """
    settings = ConsumerSettings()
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    handler.addFilter(Quiet(own="activity_consume"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("activity_consume").setLevel(logging.INFO)
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
            runner.run(service.run(listen(settings.host, settings.port)))
    except StopError as error:
        sys.stderr.write(f"consumer: {error}\n")
        return 1
    return 0


def listen(host: str, port: int) -> socket.socket:
    """The socket of the health pages. Raises StopError."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise StopError(
            f"cannot listen on {host}:{port}: {error.strerror}; set ACTIVITY_CONSUMER_PORT"
        ) from error
    return listener
