"""The circuit between the API and ClickHouse: open while the engine is away."""

from collections.abc import Callable


class CircuitBreaker:
    """Closed: requests pass. Open: they fail at once, without piling up on a dead host. After
    `pause` seconds one request tries; it closes the circuit, or opens it anew.

    `clock`: seconds, monotonic.
    """

    def __init__(self, pause: float, clock: Callable[[], float]) -> None:
        self._pause = pause
        self._clock = clock
        self._open_until: float | None = None

    @property
    def is_open(self) -> bool:
        """The engine did not answer when it was last asked."""
        return self._open_until is not None

    def may_try(self) -> bool:
        """Whether a request may go to the engine. While open, a True is one request's alone."""
        if self._open_until is None:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + self._pause
        return True

    def succeeded(self) -> None:
        """The engine answered, if only with an error."""
        self._open_until = None

    def failed(self) -> None:
        """The engine did not answer."""
        self._open_until = self._clock() + self._pause
