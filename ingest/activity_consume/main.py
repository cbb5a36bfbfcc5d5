"""The consumer as a program: settings, logs, exit status."""

import asyncio
import gc
import logging
import sys

import uvloop

from activity_consume.consumer import Parts, Service, listen
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
    handler.setFormatter(_OneLine("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("activity_consume").setLevel(logging.INFO)
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


class _OneLine(logging.Formatter):
    """An exception is one line: an operator reads logs, not stack traces."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info:
            record.msg = f"{record.getMessage()}: {record.exc_info[1]!r}"
            record.args, record.exc_info = (), None
        return super().format(record)
