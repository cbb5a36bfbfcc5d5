"""Limits per org: requests per second (a token bucket), and requests at the same time."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from activity_api.settings import LimitSettings

_MOST_ORGS = 10_000


class LimitExceeded(Exception):
    """The org has to wait for `retry_after` seconds. `headers` say so, too."""

    def __init__(self, limit: str, retry_after: int, headers: dict[str, str]) -> None:
        super().__init__(limit)
        self.limit = limit
        self.retry_after = retry_after
        self.headers = {"Retry-After": str(retry_after), **headers}


@dataclass(slots=True)
class _Use:
    """An org's tokens at a time, and its requests under way."""

    tokens: float
    at: float
    running: int = 0


class Limits:
    """In this process alone: with several workers each org has as many times the limit.

    `clock`: seconds, monotonic.
    """

    def __init__(self, settings: LimitSettings, clock: Callable[[], float] = monotonic) -> None:
        self._rate = settings.requests_per_second
        self._burst = settings.burst
        self._concurrent = settings.concurrent
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        # draft-ietf-httpapi-ratelimit-headers: the whole bucket is full again after w seconds.
        self._window = math.ceil(self._burst / self._rate)
        self._policy = f'"org";q={self._burst};w={self._window}'

    @contextmanager
    def admit(self, org_id: str) -> Iterator[dict[str, str]]:
        """Holds a place for a request; yields the RateLimit headers. Raises LimitExceeded."""
        use = self._refilled(org_id)
        if use.tokens < 1:
            wait = math.ceil((1 - use.tokens) / self._rate)
            raise LimitExceeded("requests_per_second", wait, self._headers(use))
        if use.running >= self._concurrent:
            raise LimitExceeded("concurrent", 1, self._headers(use))
        use.tokens -= 1
        use.running += 1
        try:
            yield self._headers(use)
        finally:
            use.running -= 1

    def _refilled(self, org_id: str) -> _Use:
        now = self._clock()
        use = self._uses.get(org_id)
        if use is None:
            if len(self._uses) >= _MOST_ORGS:
                self._forget_full(now)
            use = self._uses[org_id] = _Use(self._burst, now)
        use.tokens = min(self._burst, use.tokens + (now - use.at) * self._rate)
        use.at = now
        return use

    def _forget_full(self, now: float) -> None:
        """An org without requests for a whole window is as good as one never seen."""
        self._uses = {
            org_id: use
            for org_id, use in self._uses.items()
            if use.running or now - use.at < self._window
        }

    def _headers(self, use: _Use) -> dict[str, str]:
        reset = math.ceil((self._burst - use.tokens) / self._rate)
        return {
            "RateLimit-Policy": self._policy,
            "RateLimit": f'"org";r={max(0, int(use.tokens))};t={reset}',
        }
