"""The publishers of the middlewares that were given none: one for equal settings.

Twelve applications in one process, as in the tests of a service, need one forwarder and not twelve.
A publisher runs while an application's lifespan does, or from the first event on, and ends with the
last middleware that uses it.
"""

import contextlib
import threading
import weakref
from collections.abc import Callable
from typing import Any

from activity_emit.logs import warn
from activity_emit.metrics import PublisherMetrics
from activity_emit.protocol import Publisher
from activity_emit.publisher import KafkaPublisher
from activity_emit.reasons import reason
from activity_emit.settings import EmitSettings

_lock = threading.RLock()
_publishers: "weakref.WeakSet[KafkaPublisher]" = weakref.WeakSet()
_users: dict[int, int] = {}  # by id(publisher): middlewares
_lifespans: dict[int, int] = {}  # by id(publisher): lifespans that have begun


class NoPublisher:
    """Records nothing: switched off, or not able to."""

    before_response = False

    def publish(self, draft: object, stored: Callable[[], None] | None = None) -> bool:
        """Takes nothing, and says so."""
        del draft, stored
        return False

    def start(self) -> None:
        """Nothing to begin."""

    def stop(self, timeout_s: float | None = None) -> None:
        """Nothing to end."""

    def metrics(self) -> PublisherMetrics:
        """All of them 0."""
        return PublisherMetrics()


def settings_or_off(settings: EmitSettings | None) -> EmitSettings:
    """The settings, by default the environment's. Never raises: where those cannot be read the log
    says why, once, and nothing is recorded."""
    if settings is not None:
        return settings
    try:
        return EmitSettings()
    except Exception as error:  # noqa: BLE001 - the observed service goes on
        warn("no activity is recorded: %s", reason(error))
        return EmitSettings.model_construct(enabled=False)


def publisher_for(settings: EmitSettings, user: object) -> Publisher:
    """The publisher of a middleware that has been given none. Never raises, like above."""
    if not settings.enabled:
        return NoPublisher()
    try:
        with _lock:
            made = KafkaPublisher(emit=settings)
            same = (one for one in list(_publishers) if one.settings == made.settings)
            publisher = next(same, made)
            _publishers.add(publisher)
            _users[id(publisher)] = _users.get(id(publisher), 0) + 1
        weakref.finalize(user, _leave, publisher).atexit = False
    except Exception as error:  # noqa: BLE001 - the observed service goes on
        warn("no activity is recorded: %s", reason(error))
        return NoPublisher()
    return publisher


class _Process:
    """The user of a publisher that is none of a middleware's."""


_process = _Process()
_of_process: list[Publisher] = []


def shared_publisher() -> Publisher:
    """The publisher of tasks, and of whatever else has none of its own: of the environment, as it
    is at the first call, and shared with the middlewares. Never raises, like above."""
    with _lock:
        if not _of_process:
            _of_process.append(publisher_for(settings_or_off(None), _process))
        return _of_process[0]


def begin_lifespan(publisher: Publisher) -> None:
    """An application starts. Never raises."""
    _count(_lifespans, publisher, 1)
    _quietly(publisher.start)


def end_lifespan(publisher: Publisher) -> None:
    """An application ends: the publisher ends with the last one. Blocks. Never raises."""
    if _count(_lifespans, publisher, -1) <= 0:
        _quietly(publisher.stop)


def _leave(publisher: KafkaPublisher) -> None:
    """A middleware is gone. In the garbage collector's moment, so nothing waits here."""
    if _count(_users, publisher, -1) <= 0:
        with contextlib.suppress(Exception):  # no more threads
            threading.Thread(target=publisher.stop, daemon=True).start()


def _count(counts: dict[int, int], publisher: Any, by: int) -> int:
    with _lock:
        count = counts[id(publisher)] = counts.get(id(publisher), 0) + by
        if count <= 0:
            del counts[id(publisher)]
    return count


def _quietly(work: Callable[[], None]) -> None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - a publisher of the service's own
        warn("activity publisher: %s: %s", type(error).__name__, error)
