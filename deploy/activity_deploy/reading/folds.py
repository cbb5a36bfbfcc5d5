"""Equal reads become one event: polling does not fill the table. Time is passed in."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from activity_deploy.reading.read import Read, event_of, further_event

_FURTHER = "further"


@dataclass(slots=True)
class _Fold:
    """Reads that are one event so far."""

    read: Read
    due: float
    count: int
    last_us: int
    is_further: bool

    def event(self) -> tuple[Any, ...]:
        make = further_event if self.is_further else event_of
        return make(self.read, self.count, self.last_us)


class Folds:
    """The reads of the current window, bounded by number.

    Beyond `per_group` different reads of one caller in a window the rest of them is one event;
    strangers together have as many, and the rest of theirs is counted in `dropped`. Beyond `most`
    in all, the oldest are told early. Times: seconds, monotonic.
    """

    def __init__(self, window_s: float, *, per_group: int = 100, most: int = 10_000) -> None:
        self.dropped = 0
        self._window_s = window_s
        self._per_group = per_group
        self._most = most
        # The order of insertion is the order of falling due: all windows are equally long.
        self._folds: dict[Hashable, _Fold] = {}
        self._sizes: dict[Hashable, int] = {}  # open folds by group

    @property
    def next_due(self) -> float | None:
        """When the oldest falls due; None where there is none."""
        return next((fold.due for fold in self._folds.values()), None)

    def add(self, read: Read, now: float) -> tuple[Any, ...] | None:
        """Take one read; an event to publish at once, if there is no room for it."""
        fold = self._folds.get(read.key)
        if fold is not None:
            fold.count += 1
            fold.last_us = read.draft[0]
            return None
        key, group = read.key, read.group
        is_further = self._sizes.get(group, 0) >= self._per_group
        if is_further:
            if group is None:
                self.dropped += 1
                return None
            key = (_FURTHER, group, read.draft[5])
            if key in self._folds:
                return self.add(read._replace(key=key), now)
        early = self._pop() if len(self._folds) >= self._most else None
        self._folds[key] = _Fold(
            read._replace(key=key), now + self._window_s, 1, read.draft[0], is_further
        )
        self._sizes[group] = self._sizes.get(group, 0) + 1
        return early

    def take_due(self, now: float) -> Iterator[tuple[Any, ...]]:
        """The events whose window has ended."""
        while (due := self.next_due) is not None and due <= now:
            yield self._pop()

    def take_all(self) -> Iterator[tuple[Any, ...]]:
        """All events, at the end."""
        while self._folds:
            yield self._pop()

    def _pop(self) -> tuple[Any, ...]:
        fold = self._folds.pop(next(iter(self._folds)))
        group = fold.read.group
        self._sizes[group] -= 1
        if not self._sizes[group]:
            del self._sizes[group]
        return fold.event()
