"""The forwarder's process and the socket to it."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Self

from activity_emit.forwarder.packets import packet_of, send, socket_pair

_START_S = 20.0
_POLL_S = 0.5
_GRACE_S = 3.0


class ForwarderProcess:
    """A forwarder that has reported. `socket` never blocks: to try costs less than to ask first."""

    def __init__(self, ours: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self.socket = ours
        self._process = process

    @classmethod
    def start(
        cls,
        program: Sequence[str],
        config: bytes,
        hurry: Callable[[], float],
        inherit: Sequence[int] = (),
    ) -> Self:
        """Blocks until it has reported, for at most 20 seconds. Raises OSError if it does not.

        `program`: what `python -m` runs. `config`: its first packet. `hurry`: the monotonic time by
        which there is no more use for it. `inherit`: descriptors that it gets as they are.
        """
        ours, theirs = socket_pair()
        with theirs:
            try:
                process = subprocess.Popen(
                    [sys.executable, "-m", *program, str(theirs.fileno())],
                    pass_fds=[theirs.fileno(), *inherit],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                    # Ctrl-C is for the service; we close the socket. Not a session of its own: the
                    # kernel may weigh sessions, and then the forwarder's nice would say nothing.
                    process_group=0,
                )
            except OSError:
                ours.close()
                raise
        try:
            ours.settimeout(_POLL_S)
            send(ours, config)
            _await_report(ours, hurry)
        except OSError:
            ours.close()
            process.kill()
            process.wait()
            raise
        ours.setblocking(False)
        return cls(ours, process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_for_room(self) -> None:
        """Until it has read some, or half a second."""
        poll = select.poll()
        poll.register(self.socket, select.POLLOUT)
        poll.poll(_POLL_S * 1000)

    def bury(self) -> None:
        """It has died, or must."""
        self.socket.close()
        self._process.wait()

    def abandon_after_fork(self) -> None:
        """In a forked child: both are the parent's."""
        self.socket.close()
        self._process.returncode = 0  # not ours to wait for

    def finish(self, within_s: float, stop_by: float) -> None:
        """No more comes: it publishes what it has within `within_s`, and ends."""
        with contextlib.suppress(OSError):
            self.socket.settimeout(_POLL_S)
            send(self.socket, packet_of(float(within_s)))
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        try:
            self._process.wait(max(0.0, stop_by - time.monotonic()) + _GRACE_S)
        except subprocess.TimeoutExpired:
            # What it has is in the spool, for the next worker.
            self._process.kill()
            self._process.wait()
        self.socket.setblocking(False)


def _await_report(ours: socket.socket, hurry: Callable[[], float]) -> None:
    """Nothing is entrusted to a program that is not there: `sys.executable` may be a server's own
    binary. Raises OSError."""
    give_up = time.monotonic() + _START_S
    while time.monotonic() < min(give_up, hurry()):
        with contextlib.suppress(TimeoutError):
            if ours.recv(1, socket.MSG_PEEK):
                return
            raise ConnectionAbortedError(f"{sys.executable} ended at once")
    raise ConnectionAbortedError(f"{sys.executable} did not report")
