"""The publisher of the API's own middleware: folds reads, then hands them to the emitter's."""

import contextlib
import threading
from collections.abc import Callable, Iterable
from time import monotonic

from activity_deploy.reading.folds import Folds
from activity_deploy.reading.read import read_of
from activity_emit import EmitSettings
from activity_emit.event.draft import Draft
from activity_emit.event.whose import visit_of
from activity_emit.logs import RateLimitedLogger
from activity_emit.protocol import Publisher


class ReadPublisher:
    """A Publisher. An event goes out when its window has ended, or at the stop; a process that is
    killed takes the reads of its last window with it.

    `visitors`: also refused reads of another org are events of that org; successful ones, of an
    operator, always are. `clock`: seconds, monotonic.
    """

    before_response = False

    def __init__(
        self,
        publisher: Publisher,
        window_s: float,
        *,
        visitors: bool = False,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._publisher = publisher
        self._folds = Folds(window_s)
        self._visitors = visitors
        self._visit_settings = EmitSettings.model_construct()
        self._clock = clock
        self._lock = threading.Lock()
        self._some = threading.Event()  # there are folds, or the end
        self._halt = threading.Event()
        self._thread: threading.Thread | None = None
        self._notices = RateLimitedLogger()

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        """See Publisher: never raises, never waits."""
        if stored is not None:
            stored()
        if not isinstance(draft, tuple) or not draft:
            return self._publisher.publish(draft)
        self._add(draft)
        if len(draft) > 9 and draft[9] and draft[9][5] != draft[4].get("org_id"):
            self._add_visit(draft)
        return True

    def start(self) -> None:
        """The emitter begins; the thread that looks after the windows, with the first read."""
        self._publisher.start()

    def stop(self, timeout_s: float | None = None) -> None:
        """Hand over what is there, then end the emitter; blocks for at most `timeout_s`."""
        self._halt.set()
        self._some.set()
        with self._lock:
            thread, self._thread = self._thread, None
            self._hand_over(self._folds.take_all())
        if thread is not None:
            thread.join(1)
        self._publisher.stop(timeout_s)

    def _add(self, draft: tuple[object, ...]) -> None:
        read = read_of(draft)
        if read is None:
            return
        with self._lock:
            dropped = self._folds.dropped
            early = self._folds.add(read, self._clock())
            if self._thread is None:
                self._begin()
        if not self._some.is_set():
            self._some.set()
        if early is not None:
            self._hand_over([early])
        if self._folds.dropped > dropped:
            self._notices.warn("strangers", "reads of strangers at too many orgs: not recorded")

    def _add_visit(self, draft: tuple[object, ...]) -> None:
        status = draft[5]
        if not self._visitors and not (isinstance(status, int) and status < 400):
            return
        with contextlib.suppress(Exception):  # as the emitter does: the read itself is told
            visit = visit_of(draft, self._visit_settings)
            if visit is not None:
                self._add(visit)

    def _hand_over(self, events: Iterable[tuple[object, ...]]) -> None:
        for event in events:
            try:
                self._publisher.publish(event)
            except Exception as error:  # noqa: BLE001 - the reads go on, and so does the thread
                self._notices.warn("lost", "a read is not recorded: %s", type(error).__name__)

    def _begin(self) -> None:
        self._halt = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(self._halt,), name="activity-reads", daemon=True
        )
        self._thread.start()

    def _run(self, halt: threading.Event) -> None:
        while not halt.is_set():
            with self._lock:
                if halt.is_set():
                    return
                events = list(self._folds.take_due(self._clock()))
                due = self._folds.next_due
                if due is None:
                    self._some.clear()
            self._hand_over(events)
            if due is None:
                self._some.wait()
            else:
                halt.wait(max(0.0, due - self._clock()))
