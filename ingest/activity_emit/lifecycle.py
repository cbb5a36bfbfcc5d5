"""Publishers when their process ends, or forks."""

import atexit
import contextlib
import os
import sys
import weakref
from collections.abc import Callable
from typing import Protocol

from activity_emit.logs import warn


class Publisher(Protocol):
    """What there is to do then."""

    def ask_to_end(self) -> Callable[[], None]:
        """The process ends: publish what is there. What is returned waits for that."""
        ...

    def abandon_after_fork(self) -> object:
        """In a forked child: begin anew; returns what has to stay as it is."""
        ...


_all: "weakref.WeakSet[Publisher]" = weakref.WeakSet()
_abandoned: list[object] = []  # a forked child must neither use nor close SQLite's connections
_expected_in: set[int] = set()  # process ids
_process = os.getpid()


def watch(publisher: Publisher) -> None:
    """For as long as it lives."""
    _all.add(publisher)


def watched() -> list[Publisher]:
    """Those that live now."""
    return list(_all)


def expect() -> None:
    """A publisher has started in this process."""
    if os.getpid() in _expected_in:
        return
    _expected_in.add(os.getpid())
    # Processes that `multiprocessing` forked, such as granian's workers, end without `atexit`.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _at_exit, exitpriority=100)
    # Celery's end by `os._exit`, one second after this signal.
    celery = sys.modules.get("celery.signals")
    if celery is not None:
        celery.worker_process_shutdown.connect(
            _at_celery_exit, weak=False, dispatch_uid="activity_emit"
        )


def notice_fork() -> None:
    """Is this the process of before? Servers in C, such as uWSGI, fork without Python's hooks."""
    if os.getpid() != _process:
        _after_fork()


def _at_exit() -> None:
    notice_fork()
    waits: list[Callable[[], None]] = []
    for publisher in list(_all):  # all at once
        _try(lambda publisher=publisher: waits.append(publisher.ask_to_end()))  # type: ignore[misc]
    for wait in waits:
        _try(wait)


def _try(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - the process ends as it would without us
        warn("activity publisher: %s: %s", type(error).__name__, error)


def _at_celery_exit(**_: object) -> None:
    _at_exit()


def _after_fork() -> None:
    global _process  # noqa: PLW0603 - it is the process's
    _process = os.getpid()
    for publisher in list(_all):
        with contextlib.suppress(Exception):
            _abandoned.append(publisher.abandon_after_fork())


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
