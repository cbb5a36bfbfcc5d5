"""What the middlewares hand their events to."""

from collections.abc import Callable
from typing import Protocol

from activity_emit.event.draft import Draft


class Publisher(Protocol):
    """Takes events; `KafkaPublisher`, or a test's own."""

    @property
    def before_response(self) -> bool:
        """Whether the response's last byte waits for `stored`."""
        ...

    def publish(self, draft: Draft, stored: Callable[[], None] | None = None) -> bool:
        """Take over one event, at once; False if it was dropped. Never raises, never waits.

        `stored` is called, from another thread, when the event is committed to the spool (or in
        memory, where there is no spool).
        """
        ...

    def start(self) -> None:
        """Begin to publish. Otherwise the first event does."""
        ...

    def stop(self, timeout_s: float | None = None) -> None:
        """Publish what is there, then end; blocks for at most `timeout_s` seconds."""
        ...
