"""`python -m activity_deploy.clickhouse --path DIR --port N`: serve until SIGTERM or Ctrl-C."""

import argparse
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import uvicorn
from pydantic import ValidationError

from activity_deploy.clickhouse.access import USER, Access, is_of_others
from activity_deploy.clickhouse.app import ClickHouseHTTP
from activity_deploy.clickhouse.confinement import confined
from activity_deploy.clickhouse.connections import VERSION
from activity_deploy.clickhouse.data_directory import DataDirectory, DataDirectoryError
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.password import password_of
from activity_deploy.errors import first_line
from activity_deploy.local.settings import LocalSettings
from activity_deploy.settings import explain
from activity_http.limits import HttpLimits
from activity_http.server import options, raise_file_limit
from activity_telemetry.logs import configure_logging
from activity_telemetry.settings import LogSettings

# No environment variable: one password is all that stands before the tables of all orgs, and it
# goes over the wire as it is. A container has a network of its own: there, and only there,
# `--host 0.0.0.0` is right (deploy/compose.local.yaml).
HOST = "127.0.0.1"

# Together under the 5 seconds in which a SIGTERM must be done.
_REQUESTS_PATIENCE_SECONDS = 2
_ENGINE_PATIENCE_SECONDS = 1.5


# As a ClickHouse server has them: parameters go into the target, and an INSERT has no end.
_LIKE_A_SERVER = {
    # httptools reads no longer one; http_max_uri_size is 1 MiB.
    "max_request_line_bytes": (1 << 16) - 1,
    "max_header_bytes": (1 << 20) + (128 << 10),  # and http_max_field_value_size
    "max_body_bytes": 0,
}


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for bound in sockets or ():
            host, port = bound.getsockname()
            address = f"http://{host}:{port}"
            print(f"clickhouse: ready on {address} (engine {VERSION})", flush=True)


def main(given: Sequence[str] | None = None) -> int:
    """Serve; the exit status. `given`: by default the process' arguments."""
    parser = argparse.ArgumentParser(
        prog="python -m activity_deploy.clickhouse", description=__doc__
    )
    parser.add_argument("--path", type=Path, required=True, help="directory of the data")
    default_port = os.environ.get("ACTIVITY_CLICKHOUSE_PORT", "8123")
    parser.add_argument("--port", type=int, default=default_port, help="0: any free one")
    parser.add_argument(
        "--unrestricted",
        action="store_true",
        default=LocalSettings().clickhouse_unrestricted,
        help="SQL may use files, addresses, other servers, SYSTEM: all that this account may",
    )
    parser.add_argument(
        "--host", default=HOST, help="another one only in a container's own network"
    )
    parser.add_argument("--user", default=USER, help="the one that logs in with the password")
    arguments = parser.parse_args(given)
    try:
        configure_logging(LogSettings(), own="activity_deploy")
        limits = HttpLimits().model_copy(update=_LIKE_A_SERVER)
    except ValidationError as error:
        return _fail(explain(error)[0])
    # The port first: a second start with the same arguments should name what is in its way.
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((arguments.host, arguments.port))
        directory = DataDirectory(arguments.path.resolve(), VERSION)
        password = password_of(arguments.path.resolve())
        # Of the address, and not of how it was spelled: `--host localhost` is this machine, too.
        any_host = is_of_others(listener.getsockname()[0])
        access = Access(password, arguments.user, any_host=any_host)
        confinement = confined(directory.engine_path, is_restricted=not arguments.unrestricted)
        engine = Engine(directory.engine_path, is_restricted=not arguments.unrestricted)
    except ValueError as error:
        return _fail(str(error))
    except (OSError, OverflowError) as error:
        text = getattr(error, "strerror", None) or error
        return _fail(f"cannot listen on port {arguments.port}: {text}; choose another --port")
    except DataDirectoryError as error:
        return _fail(str(error))
    except RuntimeError as error:
        return _fail(f"the engine does not open {arguments.path}: {first_line(error)}")
    raise_file_limit()  # a running query has a pipe beside its connection
    return _serve(ClickHouseHTTP(engine, access, confinement), listener, limits)


def _serve(app: ClickHouseHTTP, listener: socket.socket, limits: HttpLimits) -> int:
    config = uvicorn.Config(
        app,
        loop="uvloop",
        lifespan="off",
        backlog=4096,
        timeout_graceful_shutdown=_REQUESTS_PATIENCE_SECONDS,
        **options(limits),
    )
    # uvicorn raises the signal it stopped for once more; by then it has done its work.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    _Server(config).run(sockets=[listener])
    closed = app.close(_ENGINE_PATIENCE_SECONDS)
    if not closed:
        print("clickhouse: a query would not stop, leaving it", file=sys.stderr, flush=True)
        # What was confirmed is on disk; the interpreter would wait for the query's thread.
        os._exit(0)
    return 0


def _fail(text: str) -> int:
    print(f"clickhouse: {text}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
