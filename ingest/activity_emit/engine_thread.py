"""The publisher's thread: starts an engine, sees to it that there is one, ends it."""

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

from activity_emit import lifecycle
from activity_emit.delivery.relay import Relay
from activity_emit.forwarder.client import ForwarderClient, NotWorthwhileError
from activity_emit.logs import RateLimitedLogger

_RETRY_S = 5.0  # after a start that failed


class EngineThread(ABC):
    """One thread at a time, and in it one engine after the other: the client of a forwarder, or a
    relay. An engine that fails is a log line, and a relay takes its place."""

    def _reset_thread(self, usually_within: float) -> None:
        """As new. `usually_within`: seconds that `stop` may take if nobody says otherwise."""
        self._lock = threading.Lock()
        self._engine: Relay | ForwarderClient | None = None
        self._thread: threading.Thread | None = None
        self._halt = threading.Event()
        self._retry_at = 0.0
        self._usually_within = self._stop_within = usually_within
        self._notices = RateLimitedLogger()

    @abstractmethod
    def _new_client(self) -> ForwarderClient | None:
        """None: no forwarder is wanted."""

    @abstractmethod
    def _new_relay(self) -> Relay: ...

    @abstractmethod
    def _renew(self) -> None:
        """Another engine follows in the same run."""

    @abstractmethod
    def _ended(self) -> None:
        """The run is over."""

    def start(self) -> None:
        """Start to publish, if not started yet. Does not wait for Kafka, nor for the process.
        Where not even a thread can start it is tried again later."""
        lifecycle.notice_fork()
        with self._lock:
            if self._thread is not None or time.monotonic() < self._retry_at:
                return
            try:
                engine = self._engine = self._new_client() or self._new_relay()
                thread = threading.Thread(
                    target=self._run, args=(engine,), name="activity-publisher", daemon=True
                )
                thread.start()
                self._thread = thread
                lifecycle.expect()
            except Exception as error:  # noqa: BLE001 - the observed service goes on
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._engine = None
        self._retry_at = time.monotonic() + _RETRY_S
        self._notices.warn(
            "start", "activity events wait in memory: %s: %s", type(error).__name__, error
        )

    def _run(self, engine: Relay | ForwarderClient) -> None:
        """The thread's body. Each engine that fails is followed by a relay, until `stop`."""
        halt = self._halt
        while not self._publishes_until_stopped(engine):
            if isinstance(engine, Relay) and halt.wait(_RETRY_S):
                return
            self._renew()
            try:
                engine = self._engine = self._new_relay()
            except Exception as error:  # noqa: BLE001
                self._failed(error)
                continue
            if halt.is_set():
                engine.stop(self._stop_within)

    def _publishes_until_stopped(self, engine: Relay | ForwarderClient) -> bool:
        try:
            engine.run()
        except Exception as error:  # noqa: BLE001 - nobody else would see it
            if isinstance(engine, Relay):
                self._failed(error)
                return False
            with contextlib.suppress(Exception):  # what is left of it ends with its socket
                engine.give_up()
            if not isinstance(error, NotWorthwhileError):
                self._notices.warn(
                    "forwarder", "no activity forwarder, a thread instead: %s", error
                )
            return False
        return True

    def stop(self, timeout_s: float | None = None) -> None:
        """Publish what is there, for at most `timeout_s` (default: the setting of that name).

        What Kafka did not take by then stays in the spool for the next worker; where that is so and
        Kafka is away nobody waits. A later `publish` starts anew, under a new `producer_id`.
        """
        self._ask_to_stop(timeout_s, last=False)()

    def ask_to_end(self) -> Callable[[], None]:
        """See lifecycle.Publisher."""
        return self._ask_to_stop(None, last=True)

    def _ask_to_stop(self, timeout_s: float | None, *, last: bool) -> Callable[[], None]:
        lifecycle.notice_fork()
        within = self._usually_within if timeout_s is None else timeout_s
        with self._lock:
            engine, thread = self._engine, self._thread
            self._stop_within = within
            if thread is not None:
                self._halt.set()
        if thread is not None and engine is not None:
            if isinstance(engine, ForwarderClient):
                engine.stop(within, last=last)
            else:
                engine.stop(within)
        return lambda: self._wait_for_end(thread, within)

    def _wait_for_end(self, thread: threading.Thread | None, within: float) -> None:
        if thread is None:
            return
        thread.join(within + 5)  # closing connections has its own limits
        with self._lock:
            if self._thread is thread:
                self._ended()
                self._engine = self._thread = None
                self._halt = threading.Event()
