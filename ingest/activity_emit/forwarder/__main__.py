"""The forwarder: `python -m activity_emit.forwarder FD`, started by a service's publisher.

Reads drafts from its service, builds, spools and publishes them. Lives as long as the service.
"""

import contextlib
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, replace

from activity_emit.assembly import Components, build_relay
from activity_emit.delivery.queue_bound import bound_by_size
from activity_emit.event.draft import Committed, Draft, unpack_all
from activity_emit.event.sequence import SequenceCounters
from activity_emit.forwarder import interpreter
from activity_emit.forwarder.packets import packet_of, receive, send
from activity_emit.logs import RateLimitedLogger, log, warn
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import RelayConfig

_REPORT_S = 1.0


class _Lines(logging.Handler):
    """Log lines on their way to the service's own log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=100)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Forwarder:
    """One service's forwarder: a thread that reads, and the relay."""

    def __init__(
        self,
        service: socket.socket,
        config: RelayConfig,
        counters: SequenceCounters,
        lines: _Lines,
        components: Components,
    ) -> None:
        self._service = service
        self._lines = lines
        self._metrics = PublisherMetrics()
        self._reported = PublisherMetrics()
        self._report_at = 0.0
        self._queue: deque[Draft | Committed] = deque()
        self._settings = config.emit
        self._stop_within = config.emit.stop_timeout_s
        self._drained = threading.Event()
        self._relay = build_relay(
            config,
            queue=self._queue,
            counters=counters,
            metrics=self._metrics,
            log=RateLimitedLogger(),
            components=components,
            own_process=True,
        )

    def run(self) -> None:
        """Until the service closes the socket; then what is left, within its time limit."""
        self._report(always=True)  # we are here
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        try:
            self._relay.run()
        except Exception as error:  # noqa: BLE001 - the service's stderr is no place for a trace
            warn("the activity forwarder ends: %s: %s", type(error).__name__, error)
        self._report()

    def _read(self) -> None:
        try:
            while True:
                try:
                    message = receive(self._service)
                except BlockingIOError:  # its own timeout, see `main`
                    self._report()
                    continue
                except OSError:
                    break
                if message is None:
                    break
                if isinstance(message, float):
                    self._stop_within = message
                else:
                    self._take(*message)
        finally:
            self._relay.stop(self._stop_within)

    def _take(self, dropped: int, packed: bytes) -> None:
        self._metrics.dropped = dropped
        if time.monotonic() >= self._report_at:
            self._report()
        drafts = unpack_all(packed)
        bound = bound_by_size(len(packed), len(drafts), self._settings)
        while len(self._queue) > bound:  # the relay has nowhere to put them
            self._drained.wait(0.02)
            self._report()
        self._queue.extend(drafts)
        if self._relay.idle:
            self._relay.wake()

    def _report(self, *, always: bool = False) -> None:
        self._report_at = time.monotonic() + _REPORT_S
        waiting = self._relay.metrics()
        queued = len(self._queue) + waiting["queued"]
        metrics = replace(self._metrics, queued=queued, spooled=waiting["spooled"])
        if always or metrics != self._reported or self._lines.lines:
            lines = [self._lines.lines.popleft() for _ in range(len(self._lines.lines))]
            with contextlib.suppress(OSError):  # the service is gone, or does not read
                send(self._service, packet_of((asdict(metrics), lines)))
            self._reported = metrics


def main(components: Components | None = None) -> None:
    """Run for the service at the other end of the inherited socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the service decides; its end is ours
    os.umask(0o077)
    interpreter.accept()
    with contextlib.suppress(OSError):
        os.nice(5)  # the service first
    lines = _Lines()
    log.addHandler(lines)
    log.propagate = False
    with socket.socket(fileno=int(sys.argv[1])) as service:
        # The kernel's timeout and not Python's, which asks before each call whether there is data.
        service.setblocking(True)
        first = receive(service)
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            service.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", int(_REPORT_S), 0))
        if first is None:
            return
        config, inherited = first
        counters = SequenceCounters.inherited(*inherited) if inherited else SequenceCounters()
        config = RelayConfig.from_plain(config)
        Forwarder(service, config, counters, lines, components or Components()).run()


if __name__ == "__main__":
    main()
