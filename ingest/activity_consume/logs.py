"""The log of a consumer: one line a record, and no library that says the same for ever."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_WINDOW_S = 60.0
# Of each library: a server that is away is told by some five loggers of its client.
_LINES = 3


class OneLine(logging.Formatter):
    """An exception is one line: an operator reads logs, not stack traces."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info:
            text = f"{text}: {record.exc_info[1]!r}"
        line = logging.makeLogRecord(
            record.__dict__ | {"msg": " ".join(text.split("\n")), "args": (), "exc_info": None}
        )
        line.exc_text = line.stack_info = None
        return super().format(line)


@dataclass(slots=True)
class _Window:
    began: float
    templates: set[str] = field(default_factory=set)
    swallowed: int = 0


class Quiet(logging.Filter):
    """Lets each line of a client library through once a minute, and three of a library at most;
    then says how many there were. What is our own says itself when it begins and ends (Health)."""

    def __init__(self, own: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        """`own`: the package that is not held back."""
        super().__init__()
        self._own = own
        self._monotonic = monotonic
        self._windows: dict[str, _Window] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        library = record.name.partition(".")[0]
        if library == self._own:
            return True
        now = self._monotonic()
        window = self._windows.get(library)
        before = 0
        if window is None or now - window.began >= _WINDOW_S:
            before = window.swallowed if window else 0
            window = self._windows[library] = _Window(now)
        template = f"{record.levelno} {record.msg}"
        if template in window.templates or len(window.templates) >= _LINES:
            window.swallowed += 1
            return False
        window.templates.add(template)
        if before:
            record.msg = f"{record.getMessage()} ({before} lines of {library} were left out)"
            record.args = ()
        return True
