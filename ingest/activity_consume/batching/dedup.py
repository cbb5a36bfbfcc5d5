"""The ids a partition has taken lately: what drops a producer's duplicates."""

from collections import deque
from collections.abc import Iterable, Sequence


class DedupWindow:
    """Remembers the youngest `limit` ids by their time of birth (a UUIDv7 begins with it).

    Exact on the young side: an id born after the horizon that is not here has not been taken.
    At or before the horizon only the table knows. Ids are canonical: lower case, with hyphens.
    An id whose batch is not settled may still be refused, and a copy of it may have to go in: so it
    knows these, too.
    """

    # 9 hex digits and a hyphen: buckets of 4.096 s.
    _PREFIX = 10

    def __init__(self, limit: int, horizon: str = "") -> None:
        """`horizon`: the youngest id that may be missing here; '' if none is."""
        #: Of ids, roughly; looked at with the next batch.
        self.limit = limit
        self._buckets: dict[str, set[str]] = {}
        self._count = 0
        self._horizon = horizon[: self._PREFIX]
        #: Of what the horizon has passed by `lookup_before`: these are known, others as old not.
        self._asked: dict[str, set[str]] = {}
        self._unsettled = deque([_Noted()])

    @classmethod
    def seeded(cls, youngest: Iterable[str], limit: int, complete: bool) -> "DedupWindow":
        """A window of ids of the table. `complete`: the table has no others."""
        ids = sorted(youngest)
        window = cls(limit, "" if complete or not ids else ids[0])
        for id_ in ids:
            window.take(id_)
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
                return False if id_ in self._asked.get(prefix, ()) else None
            bucket = self._buckets[prefix] = set()
        elif id_ in bucket:
            return False
        bucket.add(id_)
        self._count += 1
        return True

    def take_new(self, ids: Sequence[str]) -> bool:
        """Remember ids of about one time, if each is a new one. False: none is remembered, and each
        has to be taken by itself."""
        prefix = min(ids)[: self._PREFIX]
        new = set(ids)
        if max(ids)[: self._PREFIX] != prefix or len(new) < len(ids):
            return False
        bucket = self._buckets.get(prefix)
        if bucket is None:
            if prefix <= self._horizon:
                return False
            self._buckets[prefix] = new
        elif bucket.isdisjoint(new):
            bucket |= new
        else:
            return False
        self._count += len(new)
        return True

    def lookup_before(self, id_: str) -> None:
        """Ids that are as old as this one, or older, may be in the table by other ways than this
        partition: from now on only the table knows of those that are not here."""
        horizon = id_[: self._PREFIX]
        self._horizon = max(self._horizon, horizon)
        for prefix in [one for one in self._buckets if one <= horizon]:
            ids = self._asked[prefix] = self._buckets.pop(prefix)
            self._count -= len(ids)

    def note(self, ids: Sequence[str]) -> None:
        """These were taken just now, for the batch that is being filled."""
        self._unsettled[-1].new.append(ids)

    def is_settled(self, id_: str) -> bool:
        """Of one that was taken: its batch is in the table, so no copy of it can be needed."""
        return not any(id_ in noted.ids() for noted in self._unsettled)

    def forget(self, id_: str) -> bool:
        """It was taken, but is not in the table and will not be: another copy must pass.
        False: it was not here."""
        prefix = id_[: self._PREFIX]
        if id_ in (asked := self._asked.get(prefix, set())):
            asked.remove(id_)
            return True
        bucket = self._buckets.get(prefix, set())
        if id_ not in bucket:
            return False
        bucket.remove(id_)
        self._count -= 1
        return True

    def next_batch(self) -> None:
        """What comes now is of another batch. Forgets the oldest above the limit: not earlier,
        because what is forgotten is asked in the table, and there the ids of a batch are only after
        its insert."""
        self._unsettled.append(_Noted())
        self._asked.clear()
        self._trim()

    def settled(self) -> None:
        """The oldest batch that was not settled is: its ids are in the table, or forgotten."""
        self._unsettled.popleft()

    def _trim(self) -> None:
        while self._count > self.limit:
            oldest = min(self._buckets)
            self._count -= len(self._buckets.pop(oldest))
            self._horizon = max(self._horizon, oldest)


class _Noted:
    """The ids of a batch; looked for only where there are duplicates, so lists until then."""

    def __init__(self) -> None:
        self.new: list[Sequence[str]] = []
        self._ids: set[str] = set()

    def ids(self) -> set[str]:
        while self.new:
            self._ids.update(self.new.pop())
        return self._ids
