"""The consumer as a program: settings, logs, exit status."""

import asyncio
import gc
import logging
import sys

import uvloop
from clickhouse_connect.driver import options

from activity_consume.consumer import Parts, Service, listen
from activity_consume.logs import OneLine, Quiet
from activity_consume.settings import ConsumerSettings
from activity_consume.sources.kafka import StopError
from activity_kafka.settings import ClickHouseSettings, KafkaSettings

_GC_YOUNG = 50_000


def consume(parts: Parts | None = None) -> int:
    """Run until told to stop. The exit status: 0, or 1 where it must not go on.

    Raises pydantic's ValidationError for wrong settings.
    """
    settings = ConsumerSettings()
    service = Service(KafkaSettings(), ClickHouseSettings(), settings, parts)
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
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(service.run(listen(settings.host, settings.port)))
    except StopError as error:
        sys.stderr.write(f"consumer: {error}\n")
        return 1
    return 0
