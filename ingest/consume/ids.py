"""The ids a partition has taken lately: what drops a producer's duplicates."""

from collections.abc import Iterable

#: A batch of the table's: what was there before this process began.
_IN_THE_TABLE = -1


class IdWindow:
    """Remembers the youngest `limit` ids by their time of birth (a UUIDv7 begins with it).

    Exact on the young side: an id born after the horizon that is not here has not been taken.
    At or before the horizon only the table knows. Ids are canonical: lower case, with hyphens.
    With each id stands the batch it was taken in: until that one is settled, it may still be
    refused, and a copy of it may have to go in.
    """

    # 9 hex digits and a hyphen: buckets of 4.096 s.
    _PREFIX = 10

    def __init__(self, limit: int, horizon: str = "") -> None:
        """`horizon`: the youngest id that may be missing here; '' if none is."""
        self._limit = limit
        self._buckets: dict[str, dict[str, int]] = {}
        self._count = 0
        self._horizon = horizon[: self._PREFIX]
        #: Numbers of the batch that is being filled, and of the last one that is settled.
        self._batch = 0
        self._settled = _IN_THE_TABLE

    @classmethod
    def seeded(cls, youngest: Iterable[str], limit: int, complete: bool) -> "IdWindow":
        """A window of ids of the table. `complete`: the table has no others."""
        ids = sorted(youngest)
        window = cls(limit, "" if complete or not ids else ids[0])
        window._batch = _IN_THE_TABLE
        for id_ in ids:
            window.take(id_)
        window._batch = 0
        window._trim()
        return window

    def __len__(self) -> int:
        return self._count

    def take(self, id_: str) -> bool | None:
        """Remember an id; False: it has been taken already. None: only the table knows."""
        prefix = id_[: self._PREFIX]
        bucket = self._buckets.get(prefix)
        if bucket is None:
            if prefix <= self._horizon:
                return None
            bucket = self._buckets[prefix] = {}
        elif id_ in bucket:
            return False
        bucket[id_] = self._batch
        self._count += 1
        return True

    def is_settled(self, id_: str) -> bool:
        """It was taken, and its batch is in the table: no copy of it can be needed any more."""
        batch = self._buckets.get(id_[: self._PREFIX], {}).get(id_)
        return batch is not None and batch <= self._settled

    def forget(self, id_: str) -> bool:
        """It was taken, but is not in the table and will not be: another copy must pass.
        False: it was not here."""
        found = self._buckets.get(id_[: self._PREFIX], {}).pop(id_, None) is not None
        self._count -= found
        return found

    def next_batch(self) -> None:
        """What comes now is of another batch. Forgets the oldest above the limit: not earlier,
        because what is forgotten is asked in the table, and there the ids of a batch are only after
        its insert."""
        self._batch += 1
        self._trim()

    def settled(self) -> None:
        """The oldest batch that was not settled is: its ids are in the table, or forgotten."""
        self._settled += 1

    def _trim(self) -> None:
        while self._count > self._limit:
            oldest = min(self._buckets)
            self._count -= len(self._buckets.pop(oldest))
            self._horizon = max(self._horizon, oldest)
