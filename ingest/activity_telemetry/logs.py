"""The one way in which the pipeline's programs log: a line a record, for people or as JSON."""

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from activity_telemetry.context import request_id, trace_id
from activity_telemetry.settings import LogSettings

_WINDOW_S = 60.0
# Of each library: a server that is away is told by some five loggers of its client.
_LINES = 3
# Also what a terminal obeys, and what some readers take for the end of a line.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def configure_logging(settings: LogSettings, own: str) -> None:
    """To standard error. `own`: the package whose lines are not held back (see Quiet); of others
    only warnings are written."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(as_json=settings.format == "json"))
    handler.addFilter(Quiet(own))
    level = logging.getLevelNamesMapping()[settings.level]
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger(own).setLevel(level)


class OneLine(logging.Formatter):
    """A record is one line, whatever is in it: an exception too, for an operator reads logs and not
    stack traces. With `extra={"facts": {...}}` a record has further fields in JSON."""

    def __init__(
        self,
        fmt: str = "%(asctime)s %(levelname)s %(name)s %(message)s",
        *,
        as_json: bool = False,
    ) -> None:
        super().__init__(fmt)
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[1] is not None:
            text = f"{text}: {record.exc_info[1]!r}"
        ids = {"request_id": request_id.get(), "trace_id": trace_id.get()}
        ids = {name: value for name, value in ids.items() if value}
        return self._json(record, text, ids) if self._as_json else self._text(record, text, ids)

    def _json(self, record: logging.LogRecord, text: str, ids: dict[str, str]) -> str:
        facts: dict[str, Any] = getattr(record, "facts", {})
        time_ = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {
            "time": time_.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": text,
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["stack"] = self.formatException(record.exc_info)
        # ASCII alone: no reader takes anything in it for the end of the line.
        return json.dumps({**facts, **ids, **line}, default=str)

    def _text(self, record: logging.LogRecord, text: str, ids: dict[str, str]) -> str:
        told = "".join(f" {name}={value}" for name, value in ids.items())
        line = logging.makeLogRecord(
            record.__dict__ | {"msg": one_line(text + told), "args": (), "exc_info": None}
        )
        line.exc_text = line.stack_info = None
        return super().format(line)


def silence() -> None:
    """For a command that says by itself what is wrong: what libraries log would say it twice."""
    logging.disable()


def one_line(text: str) -> str:
    r"""Line ends as spaces, all else that a terminal may obey as \x..; nobody writes a line of ours
    by what he sends."""
    return _CONTROL.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    return " " if character == "\n" else ascii(character)[1:-1]


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
