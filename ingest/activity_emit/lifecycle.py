"""Publishers when their process ends, or forks."""

import atexit
import os
import sys
import weakref
from typing import Protocol


class Publisher(Protocol):
    """What there is to do then."""

    def stop(self) -> None:
        """Publish what is there, then end."""
        ...

    def abandon_after_fork(self) -> object:
        """In a forked child: begin anew; returns what has to stay as it is."""
        ...


_all: "weakref.WeakSet[Publisher]" = weakref.WeakSet()
_abandoned: list[object] = []  # a forked child must neither use nor close SQLite's connections
_expected_in: set[int] = set()  # process ids


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


def _at_exit() -> None:
    for publisher in list(_all):
        publisher.stop()


def _at_celery_exit(**_: object) -> None:
    _at_exit()


def _after_fork() -> None:
    _abandoned.extend(publisher.abandon_after_fork() for publisher in list(_all))


os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
