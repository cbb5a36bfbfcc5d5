"""Whether there is an interpreter to run the forwarder with, and who started this process.

In a frozen application (PyInstaller, cx_Freeze, Nuitka) `sys.executable -m` starts the application
again, and each copy would start the next one. So only what looks like an interpreter is started,
and what is started carries a mark: a publisher that finds it is in such a copy.
"""

import contextlib
import os
import re
import socket
import stat
import sys
from collections.abc import Mapping, Sequence

#: In the forwarder's environment: the descriptor of its socket.
MARK = "ACTIVITY_FORWARDER_FD"

# python, python3.12, python3.13t, pythonw.exe, python3.11-intel64, pypy3, graalpy.
_NAME = re.compile(r"(python|pypy|graalpy)[\w.-]*", re.IGNORECASE)


class NoInterpreterError(OSError):
    """A forwarder cannot be started from here; the text says why."""


def command(program: Sequence[str], descriptor: int) -> list[str]:
    """How to run a module, whose socket is `descriptor`. Raises NoInterpreterError."""
    if getattr(sys, "frozen", False):
        raise NoInterpreterError("a frozen application has no interpreter")
    if MARK in os.environ:
        raise NoInterpreterError("this process was started as a forwarder, and is none")
    # Of a server that embeds Python it is the server, or nothing.
    if not sys.executable or not _NAME.fullmatch(os.path.basename(sys.executable)):  # noqa: PTH119
        raise NoInterpreterError(f"{sys.executable or 'sys.executable'} is no interpreter")
    return [sys.executable, "-m", *program, str(descriptor)]


def environment(descriptor: int) -> dict[str, str]:
    """What the forwarder finds the same modules with, and the mark."""
    path = os.pathsep.join(str(folder) for folder in sys.path if folder)
    return {**os.environ, "PYTHONPATH": path, MARK: str(descriptor)}


def disown(environ: Mapping[str, str] = os.environ) -> None:
    """In a copy of a service that was meant to be its forwarder: say so, by closing the socket.
    Who started the copy ends it then. Elsewhere nothing happens."""
    found = environ.get(MARK)
    if found is not None:
        with contextlib.suppress(OSError, ValueError, OverflowError):
            if stat.S_ISSOCK(os.fstat(int(found)).st_mode):
                with socket.socket(fileno=int(found)) as end:
                    end.shutdown(socket.SHUT_RDWR)


def accept() -> None:
    """In the forwarder itself: this is what was meant to be started."""
    os.environ.pop(MARK, None)
