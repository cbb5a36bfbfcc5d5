"""The forwarder: `python -m activity_emit.forwarder FD`, started by a service's publisher.

Reads drafts from its service, builds, spools and publishes them. Lives as long as the service.
"""

import contextlib
import logging
import marshal
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections import deque
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from activity_emit.assembly import Parts
from activity_emit.delivery.local_sender import sender
from activity_emit.delivery.relay import Pump
from activity_emit.event.draft import Committed, Draft, unpack_all
from activity_emit.event.sequence import Tally
from activity_emit.forwarder.framing import LENGTH, frame
from activity_emit.logs import Notices, log
from activity_emit.metrics import Counts
from activity_emit.settings import EmitSettings
from activity_kafka.settings import KafkaSettings
from activity_spool.settings import SpoolSettings

_REPORT_S = 1.0


class _Lines(logging.Handler):
    """Log lines on their way to the service's own log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: deque[str] = deque(maxlen=100)

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Forwarder:
    """One service's forwarder: a thread that reads, and the pump."""

    def __init__(
        self, service: socket.socket, config: dict[str, Any], lines: _Lines, parts: Parts
    ) -> None:
        self._service = service
        self._lines = lines
        self._counts = Counts()
        self._reported = Counts()
        self._report_at = 0.0
        self._queue: deque[Draft | Committed] = deque()
        self._stop_within: float = config["stop_timeout_s"]
        self._drained = threading.Event()
        emit = EmitSettings.model_validate_json(config["emit"])
        self._bound = emit.queue_size
        notices = Notices()
        tally = Tally.inherited(*config["tally"]) if config["tally"] else Tally()
        self._pump = Pump(
            queue=self._queue,
            builder=parts.builder(
                queue=self._queue,
                producer_id=config["name"],
                settings=emit,
                hook=None,
                counts=self._counts,
                notices=notices,
                tally=tally,
            ),
            sender=sender(
                config["transport"],
                KafkaSettings.model_validate_json(config["kafka"]),
                config["client_options"],
                Path(config["directory"]),
                config["name"],
                kafka_sender=parts.sender,
            ),
            name=config["name"],
            directory=Path(config["directory"]),
            emit=emit,
            spool=SpoolSettings.model_validate_json(config["spool"]),
            counts=self._counts,
            notices=notices,
            outbox=parts.outbox,
            own_process=True,
        )

    def run(self) -> None:
        """Until the service closes the socket; then what is left, within its time limit."""
        self._report(always=True)  # we are here
        reader = threading.Thread(target=self._read, daemon=True)
        reader.start()
        self._pump.run()
        self._report()

    def _read(self) -> None:
        try:
            while (message := read_frame(self._service, self._report)) is not None:
                if isinstance(message, float):
                    self._stop_within = message
                    continue
                self._counts.dropped, packed = message
                if time.monotonic() >= self._report_at:
                    self._report()
                while len(self._queue) > self._bound:  # the pump has nowhere to put them
                    self._drained.wait(0.02)
                    self._report()
                self._queue.extend(unpack_all(packed))
                if self._pump.idle:
                    self._pump.wake()
        finally:
            self._pump.stop(self._stop_within)

    def _report(self, *, always: bool = False) -> None:
        self._report_at = time.monotonic() + _REPORT_S
        waiting, spooled = self._pump.outbox.waiting() if self._pump.outbox else (0, 0)
        counts = replace(self._counts, queued=len(self._queue) + waiting, spooled=spooled)
        if always or counts != self._reported or self._lines.lines:
            lines = [self._lines.lines.popleft() for _ in range(len(self._lines.lines))]
            with contextlib.suppress(OSError):  # the service is gone, or does not read
                self._service.sendall(frame((asdict(counts), lines)))
            self._reported = counts


def read_frame(service: socket.socket, while_waiting: Any) -> Any:
    """The next frame's value; None at the end of the stream, also in the middle of a frame."""
    data = bytearray()
    wanted = LENGTH.size
    while len(data) < wanted:
        try:
            # All of it at once: each call waits for the interpreter, which is building events.
            chunk = service.recv(wanted - len(data), socket.MSG_WAITALL)
        except BlockingIOError:  # its own timeout, see `main`
            while_waiting()
            continue
        except OSError:
            return None
        if not chunk:
            return None
        data += chunk
        if wanted == LENGTH.size and len(data) == wanted:
            wanted += LENGTH.unpack(data)[0]
    return marshal.loads(bytes(data[LENGTH.size :]))  # noqa: S302 - from our own parent


def main(parts: Parts | None = None) -> None:
    """Run for the service at the other end of the inherited socket."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the service decides; its end is ours
    os.umask(0o077)
    os.nice(5)  # the service first
    lines = _Lines()
    log.addHandler(lines)
    log.propagate = False
    with socket.socket(fileno=int(sys.argv[1])) as service:
        # The kernel's timeout and not Python's, which asks before each call whether there is data.
        service.setblocking(True)
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            service.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", int(_REPORT_S), 0))
        config = read_frame(service, lambda: None)
        if config is not None:
            Forwarder(service, config, lines, parts or Parts()).run()


if __name__ == "__main__":
    main()
