"""Limits per org: requests per second (a token bucket), and requests at the same time."""

import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

from activity_api.endpoints.shared_rate import SharedRate, StoreAwayError
from activity_api.settings import LimitSettings

_MOST_ORGS = 10_000


class LimitExceededError(Exception):
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
    """Requests per second in this worker alone, or over all of them by a store that they share;
    `per` in the policy's header says which. Requests at the same time always in this worker alone.

    `clock`: seconds, monotonic.
    """

    def __init__(self, settings: LimitSettings, clock: Callable[[], float] = monotonic) -> None:
        self._shared = SharedRate(settings, clock) if settings.store_url else None
        self._rate = settings.requests_per_second
        self._burst = settings.burst
        self._concurrent = settings.concurrent
        self._clock = clock
        self._uses: dict[str, _Use] = {}
        # draft-ietf-httpapi-ratelimit-headers: the whole bucket is full again after w seconds.
        self._window = math.ceil(self._burst / self._rate)
        self._policy = f'"org";q={self._burst};w={self._window};per="worker"'
        self._places = f'"concurrent";q={self._concurrent};qu="concurrent-requests";per="worker"'

    @asynccontextmanager
    async def admit(self, org_id: str) -> AsyncIterator[dict[str, str]]:
        """Holds a place for a request; yields the RateLimit headers. Raises LimitExceededError.
        Waits for the shared store, if there is one, a tenth of a second at most."""
        use = self._refilled(org_id)
        if use.running >= self._concurrent:
            # What it is about has a policy of its own: of the rate there may be plenty left.
            headers = {"RateLimit-Policy": self._places, "RateLimit": '"concurrent";r=0'}
            raise LimitExceededError("concurrent", 1, headers)
        use.running += 1
        try:
            yield await self._take(use, org_id)
        finally:
            use.running -= 1

    async def close(self) -> None:
        """Close the connections to the shared store."""
        if self._shared is not None:
            await self._shared.close()

    async def _take(self, use: _Use, org_id: str) -> dict[str, str]:
        """The headers of an admitted request."""
        if self._shared is not None:
            try:
                return await self._take_shared(self._shared, org_id)
            except StoreAwayError:
                pass  # what this worker alone lets through is a limit, too
        if use.tokens < 1:
            wait = math.ceil((1 - use.tokens) / self._rate)
            raise LimitExceededError("requests_per_second", wait, self._headers(use))
        use.tokens -= 1
        return self._headers(use)

    async def _take_shared(self, shared: SharedRate, org_id: str) -> dict[str, str]:
        taken = await shared.take(org_id)
        headers = {
            "RateLimit-Policy": f'"org";q={shared.quota};w={shared.window};per="service"',
            "RateLimit": f'"org";r={taken.remaining};t={taken.reset}',
        }
        if not taken.is_admitted:
            raise LimitExceededError("requests_per_second", max(1, taken.reset), headers)
        return headers

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
