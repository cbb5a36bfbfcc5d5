"""The ids a partition has taken lately: what drops a producer's duplicates."""

from collections.abc import Iterable


class IdWindow:
    """Remembers the youngest `limit` ids by their time of birth (a UUIDv7 begins with it).

    Exact on the young side: an id born after the horizon that is not here has not been taken.
    At or before the horizon only the table knows. Ids are canonical: lower case, with hyphens.
    """

    # 9 hex digits and a hyphen: buckets of 4.096 s.
    _PREFIX = 10

    def __init__(self, limit: int, horizon: str = "") -> None:
        """`horizon`: the youngest id that may be missing here; '' if none is."""
        self._limit = limit
        self._buckets: dict[str, set[str]] = {}
        self._count = 0
        self._horizon = horizon[: self._PREFIX]
        #: Of what the horizon has passed by `ask_before`: these are known, others of their age not.
        self._asked: dict[str, set[str]] = {}

    @classmethod
    def seeded(cls, youngest: Iterable[str], limit: int, complete: bool) -> "IdWindow":
        """A window of ids of the table. `complete`: the table has no others."""
        ids = sorted(youngest)
        window = cls(limit, "" if complete or not ids else ids[0])
        for id_ in ids:
            window.take(id_)
        window.trim()
        return window

    def __len__(self) -> int:
        return self._count

    def take(self, id_: str) -> bool | None:
        """Remember an id; False: it has been taken already. None: only the table knows."""
        prefix = id_[: self._PREFIX]
        bucket = self._buckets.get(prefix)
        if bucket is None:
            if prefix <= self._horizon:
                return False if id_ in self._asked.get(prefix, ()) else None
            bucket = self._buckets[prefix] = set()
        elif id_ in bucket:
            return False
        bucket.add(id_)
        self._count += 1
        return True

    def forget(self, id_: str) -> None:
        """It was taken, but is not in the table and will not be: another copy must pass."""
        prefix = id_[: self._PREFIX]
        self._asked.get(prefix, set()).discard(id_)
        bucket = self._buckets.get(prefix, set())
        if id_ in bucket:
            bucket.remove(id_)
            self._count -= 1

    def ask_before(self, id_: str) -> None:
        """Ids that are as old as this one, or older, may be in the table by other ways than this
        partition: from now on only the table knows of those that are not here."""
        horizon = id_[: self._PREFIX]
        self._horizon = max(self._horizon, horizon)
        for prefix in [one for one in self._buckets if one <= horizon]:
            ids = self._asked[prefix] = self._buckets.pop(prefix)
            self._count -= len(ids)

    def trim(self) -> None:
        """Forget the oldest above the limit. Call it between batches only: what is forgotten will
        be asked in the table, and there the ids of a batch are only after its insert."""
        self._asked.clear()
        while self._count > self._limit:
            oldest = min(self._buckets)
            self._count -= len(self._buckets.pop(oldest))
            self._horizon = max(self._horizon, oldest)
