"""Log lines that do not flood: at most one a minute of each kind, with what was left out."""

import contextlib
import logging
import threading
import time

log = logging.getLogger("activity.emit")
EVERY_S = 60.0

_NOISY = ("aiokafka", "aiokafka.conn", "aiokafka.cluster", "aiokafka.producer.sender")


def warn(text: str, *args: object) -> None:
    """A service's own handlers and filters run here; what they raise is theirs."""
    with contextlib.suppress(Exception):
        log.warning(text, *args)


class RateLimitedLogger:
    """One per publisher. `now`: monotonic seconds, passed in by tests."""

    def __init__(self) -> None:
        self._next: dict[str, float] = {}
        self._silent: dict[str, int] = {}

    def warn(self, kind: str, text: str, *args: object, now: float | None = None) -> None:
        """Log `text % args` unless the same kind was logged within the last minute."""
        moment = time.monotonic() if now is None else now
        if moment < self._next.get(kind, 0.0):
            self._silent[kind] = self._silent.get(kind, 0) + 1
            return
        self._next[kind] = moment + EVERY_S
        silent = self._silent.pop(kind, 0)
        warn(text + (f" ({silent} more since the last line)" if silent else ""), *args)


class _OneThread(logging.Filter):
    """Drops what the Kafka client says on our thread below CRITICAL.

    With a broker away it logs several lines a second, in the log of a service that has other
    things to say. We say it once a minute. The service's own Kafka clients are not touched.
    """

    def __init__(self, thread_id: int) -> None:
        super().__init__()
        self._thread_id = thread_id

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread != self._thread_id or record.levelno >= logging.CRITICAL


class QuietClient:
    """While open, the Kafka client's logging on the calling thread is left to us."""

    def __enter__(self) -> None:
        self._filter = _OneThread(threading.get_ident())
        for name in _NOISY:
            logging.getLogger(name).addFilter(self._filter)

    def __exit__(self, *_: object) -> None:
        for name in _NOISY:
            logging.getLogger(name).removeFilter(self._filter)
