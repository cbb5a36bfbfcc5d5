"""TCP ports on loopback."""

import contextlib
import socket
from collections.abc import Iterable

from activity_deploy.errors import UserError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, all different."""
    with contextlib.ExitStack() as stack:
        ports = []
        for _ in range(count):
            listener = stack.enter_context(socket.socket())
            listener.bind((HOST, 0))
            ports.append(int(listener.getsockname()[1]))
        return ports


def check_free(wanted: Iterable[tuple[str, int, str]]) -> None:
    """`wanted`: (what needs it, port, the setting to change it). Raises UserError naming the first
    port that is taken."""
    for name, port, setting in wanted:
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError as error:
                raise UserError(
                    f"port {port} for {name} cannot be used ({error.strerror});"
                    f" end what listens there, or set {setting} to another port"
                ) from error
