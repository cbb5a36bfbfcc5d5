"""Which part of the engine's time each org has had lately, and who had too much of it."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable

# Seconds: what lies so far back counts a third of what is now.
_LATELY = 3.0
# Below it the engine has time for all, and a large org may take it.
_BUSY = 0.7
# Others that have less than this have nothing to lose by it.
_OTHERS = 0.01


class FairShare:
    """Queries that run at the same time share their time evenly, so that all orgs together never
    have more than a second a second, however slow the machine is.

    `largest`: the part of it that an org may have while others ask too, 0 to 1; 1 is no limit.
    `clock`: seconds, monotonic.
    """

    def __init__(self, largest: float, clock: Callable[[], float]) -> None:
        self._largest = largest
        self._clock = clock
        self._at = clock()
        self._had: defaultdict[str, float] = defaultdict(float)

    def running(self, queries: Counter[str]) -> None:
        """So many of each org have run until now. To be told before a query begins or ends."""
        now = self._clock()
        passed, self._at = now - self._at, now
        kept = math.exp(-passed / _LATELY)
        for org_id in list(self._had):
            self._had[org_id] *= kept
            if self._had[org_id] < _OTHERS / 100:
                del self._had[org_id]
        together = queries.total()
        for org_id, count in queries.items():
            self._had[org_id] += (1 - kept) * count / together

    def is_over(self, org_id: str) -> bool:
        """It had more than its part, of an engine that was busy, and others wanted some, too."""
        total, own = sum(self._had.values()), self._had.get(org_id, 0.0)
        return total > _BUSY and own > self._largest * total and total - own > _OTHERS
