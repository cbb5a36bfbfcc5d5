"""`python -m activity_api serve`: uvicorn on a port of ours, until SIGTERM or Ctrl-C."""

import os
import signal
import socket
import sys
import tempfile
from datetime import UTC, datetime

import uvicorn
from uvicorn.supervisors import Multiprocess

from activity_api.metrics import DIRECTORY
from activity_api.settings import ServerSettings, Settings, SettingsError
from activity_http.refusal import Refusal
from activity_http.server import listening, options, raise_file_limit
from activity_schemas.errors import error_response
from activity_telemetry.logs import configure_logging

# With it the process is gone within 5 seconds of a SIGTERM, whatever its clients do.
_GRACE_SECONDS = 3
_BACKLOG = 4096


def serve(application: str = "activity_api.app:from_environment") -> int:
    """The exit status. `application`: where a worker finds the function that makes it."""
    try:
        configured = Settings.from_environment()
        configure_logging(configured.logs, own="activity_api")
        settings = configured.server
        listener = _listen(settings, settings.port)
        sockets = [listener]
        if settings.metrics_port is not None:
            sockets.append(_listen(settings, settings.metrics_port, "METRICS_PORT"))
            # The workers read it, too: 0 is by now the one that was free.
            os.environ["ACTIVITY_API_METRICS_PORT"] = str(sockets[1].getsockname()[1])
    except SettingsError as error:
        sys.stderr.write(f"query_api: {error}\n")
        return 2
    address = f"http://{_in_url(settings.host)}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        application,
        factory=True,
        workers=settings.workers,
        loop="uvloop",
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE_SECONDS,
        **options(configured.http, refusal_body),
    )
    raise_file_limit()
    # uvicorn raises the signal that ended it once more; by then all is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    sys.stdout.write(f"query_api: listening on {address} (docs: {address}/docs)\n")
    if len(sockets) > 1:
        port = sockets[1].getsockname()[1]
        sys.stdout.write(f"query_api: metrics on http://{_in_url(settings.host)}:{port}/metrics\n")
    sys.stdout.flush()
    if settings.workers > 1:
        with tempfile.TemporaryDirectory(prefix="activity-api-metrics-") as directory:
            os.environ[DIRECTORY] = directory
            Multiprocess(config, sockets).run()
        return 0
    server = uvicorn.Server(config)
    server.run(sockets)
    return 0 if server.started else 1


def refusal_body(refusal: Refusal) -> tuple[str, bytes]:
    """In the shape of every other error."""
    body = error_response(refusal.status, refusal.error, refusal.message, datetime.now(UTC))
    return "application/json", body.model_dump_json().encode()


def _listen(settings: ServerSettings, port: int, setting: str = "PORT") -> socket.socket:
    """A socket that is bound; `setting`: what to change where it cannot be. Raises
    SettingsError."""
    try:
        return listening(settings.host, port, _BACKLOG)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {settings.host}:{port}: {error.strerror or error};"
            f" set ACTIVITY_API_HOST and ACTIVITY_API_{setting}"
        ) from None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
