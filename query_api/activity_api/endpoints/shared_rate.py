"""The rate of each org over all workers and replicas, counted in Redis or Valkey."""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from time import time
from typing import Any

from activity_api.settings import LimitSettings

_log = logging.getLogger(__name__)

# A store that is slower than this is taken for away: a limit must not be what a request waits for.
_DEADLINE_SECONDS = 0.1
_RETRY_SECONDS = 1.0


class StoreAwayError(Exception):
    """The store does not answer now: each worker counts by itself."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether a request was admitted, how many are left, and the seconds until all are."""

    is_admitted: bool
    remaining: int
    reset: int


class SharedRate:
    """A sliding window, two round trips a request. `clock`: seconds, monotonic."""

    def __init__(self, settings: LimitSettings, clock: Callable[[], float]) -> None:
        """Connects to nothing yet."""
        rate, burst = settings.requests_per_second, settings.burst
        self.window = math.ceil(burst / rate)
        #: What a window admits: the burst, and more where the rate alone is more.
        self.quota = max(burst, round(rate * self.window))
        self._clock = clock
        self._away_until = -float("inf")
        self._errors: tuple[type[Exception], ...] = ()
        self._storage, self._strategy, self._item = self._made(settings)

    async def take(self, org_id: str) -> Taken:
        """Count a request. Raises StoreAwayError, at once for a second after it was found so."""
        if self._clock() < self._away_until:
            raise StoreAwayError
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                is_admitted = await self._strategy.hit(self._item, org_id)
                stats = await self._strategy.get_window_stats(self._item, org_id)
        except self._errors as error:
            self._away_until = self._clock() + _RETRY_SECONDS
            line = " ".join(str(error).split())[:200] or type(error).__name__
            _log.warning("the store of limits is away: %s; each worker counts by itself", line)
            raise StoreAwayError from None
        reset = max(0, math.ceil(stats.reset_time - time()))
        return Taken(bool(is_admitted), max(0, int(stats.remaining)), reset)

    async def close(self) -> None:
        """Close the connections."""
        # `limits` has no way to.
        await self._storage.bridge.storage.aclose()

    def _made(self, settings: LimitSettings) -> tuple[Any, Any, Any]:
        # Optional, activity-pipeline[redis]: the settings have looked whether they are there.
        from limits import RateLimitItemPerSecond  # noqa: PLC0415
        from limits.aio.storage import RedisStorage  # noqa: PLC0415
        from limits.aio.strategies import SlidingWindowCounterRateLimiter  # noqa: PLC0415
        from redis.exceptions import RedisError  # noqa: PLC0415

        url = settings.store_url.get_secret_value() if settings.store_url else ""
        storage = RedisStorage(
            f"async+{url}",
            implementation="redispy",
            key_prefix="activity-limit",
            socket_connect_timeout=_DEADLINE_SECONDS,
            socket_timeout=_DEADLINE_SECONDS,
        )
        self._errors = (TimeoutError, OSError, RedisError)
        strategy = SlidingWindowCounterRateLimiter(storage)
        return storage, strategy, RateLimitItemPerSecond(self.quota, self.window)
