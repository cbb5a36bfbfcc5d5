"""Arguments of uvicorn that all our servers share."""

import asyncio
import resource
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from activity_http.limits import HttpLimits
from activity_http.protocol import LimitedProtocol
from activity_http.refusal import Body, plain


def options(limits: HttpLimits, refusal_body: Body = plain) -> dict[str, Any]:
    """For `uvicorn.Config`. They can be pickled, as its worker processes need it."""
    return {
        "http": partial(LimitedProtocol, limits=limits, refusal_body=refusal_body),
        "ws": "none",  # it would take the connection over, without any limit
        "access_log": False,
        "log_config": None,  # activity_telemetry.logs, in each worker
        "log_level": "warning",
        "server_header": False,
        "timeout_keep_alive": limits.idle_timeout_s,
    }


def listening(host: str, port: int, backlog: int = 128) -> socket.socket:
    """A socket that is bound and listens: from here on clients wait instead of being refused.
    `port` 0: any free one. Raises OSError, also where two of ours are to have one port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener


def raise_file_limit() -> None:
    """As many connections as the machine allows this process: the usual soft limit, 1024, is for
    programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def on_exit(stop: Callable[[], None]) -> Iterator[None]:
    """In a lifespan: `stop` is called when uvicorn is told to end, before it waits for the answers
    that are on their way; an endless one is to end then. Needs a running loop."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's; what runs here ends with its own caller
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def told(number: int, frame: Any) -> None:
        loop.call_soon_threadsafe(stop)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)
        elif handler == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is told:
                signal.signal(number, handler)
