"""The forwarder's process and the socket to it."""

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Self

from activity_emit.forwarder.interpreter import command, environment
from activity_emit.forwarder.packets import packet_of, send, socket_pair

_START_S = 20.0  # then it is none of ours
_POLL_S = 0.5
_GRACE_S = 3.0


class ForwarderProcess:
    """A forwarder. `socket` never blocks: to try costs less than to ask first. `reported`: it is
    really one, and not a program that Python was built into."""

    def __init__(self, ours: socket.socket, process: "subprocess.Popen[bytes]") -> None:
        self.socket = ours
        self.reported = False
        self._process = process
        self._late_at = time.monotonic() + _START_S

    @classmethod
    def start(
        cls,
        program: Sequence[str],
        config: bytes,
        inherit: Sequence[int] = (),
    ) -> Self:
        """Does not wait until it has reported. Raises OSError if there can be none.

        `program`: what `python -m` runs. `config`: its first packet. `inherit`: descriptors that it
        gets as they are.
        """
        ours, theirs = socket_pair()
        with theirs:
            try:
                process = subprocess.Popen(
                    command(program, theirs.fileno()),
                    pass_fds=[theirs.fileno(), *inherit],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=environment(theirs.fileno()),
                    # Ctrl-C is for the service; we close the socket. Not a session of its own: the
                    # kernel may weigh sessions, and then the forwarder's nice would say nothing.
                    process_group=0,
                )
            except Exception as error:  # a NUL in a variable is a ValueError
                ours.close()
                if isinstance(error, OSError):
                    raise
                raise OSError(f"{type(error).__name__}: {error}") from None
        forwarder = cls(ours, process)
        try:
            ours.settimeout(_POLL_S)
            send(ours, config)
            ours.setblocking(False)
        except OSError:
            forwarder.kill()
            raise
        return forwarder

    def has_reported(self) -> bool:
        """Asks the socket, does not wait. Raises OSError if it has ended without, or takes longer
        than 20 seconds."""
        if not self.reported:
            try:
                try:
                    self.reported = bool(self.socket.recv(1, socket.MSG_PEEK))
                except ConnectionResetError:  # said once, and before what it has sent
                    self.reported = bool(self.socket.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                if time.monotonic() > self._late_at:
                    raise ConnectionAbortedError("the forwarder did not report") from None
                return False
            if not self.reported:
                raise ConnectionAbortedError("what was started is no forwarder")
        return True

    def wait_for_report(self) -> None:
        """Until it has reported or ended, or half a second."""
        self._wait_for(select.POLLIN)

    def withdraw(self) -> bool:
        """End it if it has not begun yet; False: it has. Exact: it is held while it is asked."""
        with contextlib.suppress(OSError):  # it has ended
            os.kill(self.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        try:
            begun = self.has_reported()
        except OSError:
            begun = False
        if begun:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGCONT)
        else:
            self.kill()
        return not begun

    def kill(self) -> None:
        """End it, with all that it has started."""
        self.socket.close()
        with contextlib.suppress(OSError):  # its group is its own
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()
        # Where no signal is allowed: its socket is closed, so it ends by itself.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_GRACE_S)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_for_room(self) -> None:
        """Until it has read some, or half a second."""
        self._wait_for(select.POLLOUT)

    def _wait_for(self, what: int) -> None:
        poll = select.poll()
        poll.register(self.socket, what)
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
