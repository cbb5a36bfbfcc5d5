"""How much of the engine's time each org has had lately, and what follows from it."""

from collections.abc import Callable
from dataclasses import dataclass

_MOST_ORGS = 10_000


@dataclass(slots=True)
class _Use:
    """Seconds had beyond the share, at a time."""

    seconds: float
    at: float


class Shares:
    """Each org has `share` seconds of queries a second, and `burst` seconds besides. Who had more
    is over its share until it has paused for as long.

    `clock`: seconds, monotonic. A share of 0 is none: nobody is ever over it.
    """

    def __init__(self, share: float, burst: float, clock: Callable[[], float]) -> None:
        self._share = share
        self._burst = burst
        self._clock = clock
        self._uses: dict[str, _Use] = {}

    def had(self, org_id: str, seconds: float) -> None:
        """A query of the org has run for so long."""
        if not self._share:
            return
        if org_id not in self._uses and len(self._uses) >= _MOST_ORGS:
            self._uses = {name: use for name, use in self._uses.items() if self._now(use)}
        use = self._uses.setdefault(org_id, _Use(0, self._clock()))
        # Twice the burst at most: an org is not made to pay all day for one bad minute.
        use.seconds = min(2 * self._burst, self._now(use) + seconds)
        use.at = self._clock()

    def is_over(self, org_id: str) -> bool:
        """It had its burst and more."""
        use = self._uses.get(org_id)
        return use is not None and self._now(use) > self._burst

    def _now(self, use: _Use) -> float:
        return max(0.0, use.seconds - (self._clock() - use.at) * self._share)
