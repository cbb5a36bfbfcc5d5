"""`python -m activity_api serve`: uvicorn on a port of ours, until SIGTERM or Ctrl-C."""

import signal
import socket
import sys
from datetime import UTC, datetime

import uvicorn
from uvicorn.supervisors import Multiprocess

from activity_api.settings import ServerSettings, Settings, SettingsError
from activity_http.refusal import Refusal
from activity_http.server import options, raise_file_limit
from activity_schemas.errors import error_response

# With it the process is gone within 5 seconds of a SIGTERM, whatever its clients do.
_GRACE_SECONDS = 3
_BACKLOG = 4096


def serve() -> int:
    """The exit status."""
    try:
        configured = Settings.from_environment()
        settings = configured.server
        listener = _listen(settings)
    except SettingsError as error:
        sys.stderr.write(f"query_api: {error}\n")
        return 2
    address = f"http://{_in_url(settings.host)}:{listener.getsockname()[1]}"
    config = uvicorn.Config(
        "activity_api.app:from_environment",
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
    sys.stdout.flush()
    if settings.workers > 1:
        Multiprocess(config, [listener]).run()
        return 0
    server = uvicorn.Server(config)
    server.run([listener])
    return 0 if server.started else 1


def refusal_body(refusal: Refusal) -> tuple[str, bytes]:
    """In the shape of every other error."""
    body = error_response(refusal.status, refusal.error, refusal.message, datetime.now(UTC))
    return "application/json", body.model_dump_json().encode()


def _listen(settings: ServerSettings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        # From here on clients wait instead of being refused, until a worker is up.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error};"
            " set ACTIVITY_API_HOST and ACTIVITY_API_PORT"
        ) from None
    return listener


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
