"""How many events a producer was offered: a number that outlives its process.

What a worker has not handed over yet when it is killed is gone, and none of its own events can say
so: `seq` shows a gap only before an event that arrived. So whoever publishes counts in shared
memory, a file in `ACTIVITY_SPOOL_TALLY_DIR` that stays until the machine ends. The next worker that
publishes to the same place closes the dead one's sequence: its next event gets the dead one's
`producer_id` and the number after the last one. Whatever is missing before that shows as a gap.

Memory and no disk: a request must not wait for one, and the kernel ends a process that writes into
a mapped file whose disk is full. Locks as in spool.py: they are free when worker and forwarder are
both gone.
"""

import contextlib
import hashlib
import mmap
import os
from array import array
from collections.abc import Iterator, MutableSequence, Sized
from pathlib import Path
from typing import IO

from activity_spool.lock import lock, unlock
from activity_spool.private import make_private

# Places in `counters`: events taken over and turned away so far, how many of both were before this
# sequence, and how many of its own got no number of it.
ACCEPTED, DROPPED, ACCEPTED_BEFORE, DROPPED_BEFORE, UNNUMBERED = range(5)
_COUNTERS = 5 * 8  # bytes; the producer_id follows
_SIZE = 512


class SequenceCounters:
    """One sequence of numbers. `counters` may be written by any thread, each place by one side."""

    __slots__ = ("_handle", "_map", "counters", "path", "producer_id")

    def __init__(self, path: Path | None = None, handle: IO[bytes] | None = None) -> None:
        """Of an open file, whose descriptor holds the lock; without one it dies with us."""
        self.path, self._handle = path, handle
        self.counters: MutableSequence[int] | memoryview = array("Q", bytes(_COUNTERS))
        self.producer_id = ""
        self._map: mmap.mmap | None = None
        if handle is not None:
            self._map = mmap.mmap(handle.fileno(), _SIZE)
            self.counters = memoryview(self._map)[:_COUNTERS].cast("Q")
            self.producer_id = self._map[_COUNTERS:].rstrip(b"\0").decode("utf-8")

    @classmethod
    def create(cls, folder: Path, spool: Path, producer_id: str) -> "SequenceCounters":
        """The producer whose spool lies in the directory `spool`; in memory of its own where
        `folder` cannot be used."""
        with contextlib.suppress(OSError, ValueError):
            make_private(folder)
            path = folder / f"{_prefix(spool)}{producer_id}.tally"
            handle = lock(path, create=True)
            name = producer_id.encode("utf-8").ljust(_SIZE - _COUNTERS, b"\0")
            try:  # written and not only reserved: what is there cannot be refused later
                handle.write(bytes(_COUNTERS) + name)
                return cls(path, handle)  # ValueError: less than that was written
            except (OSError, ValueError):
                handle.close()
                path.unlink(missing_ok=True)
                raise
        return cls()

    @classmethod
    def inherited(cls, path: str, descriptor: int) -> "SequenceCounters":
        """The service's own, in its forwarder."""
        return cls(Path(path), os.fdopen(descriptor, "r+b", buffering=0))

    @property
    def inheritance(self) -> tuple[str, int] | None:
        """For the forwarder, which so holds the lock as well."""
        return None if self._handle is None else (str(self.path), self._handle.fileno())

    @property
    def next_seq(self) -> int:
        """The number after the last one: exact, but for events that a rule would have ignored."""
        accepted, dropped, *not_ours = self.counters
        return max(0, accepted + dropped - sum(not_ours))

    def follow(self, before: "SequenceCounters", queue: Sized, taken: int, dropped: int) -> None:
        """All counting is here from now on. A sequence ends, and this one begins with what is in
        the queue, `taken` events that were, and what is turned away after the first `dropped`."""
        # Other threads count meanwhile, and append. Python hands over to them after calls and in
        # loops: what is counted is in the queue in each of these lines.
        self.counters[ACCEPTED] += before.counters[ACCEPTED]
        before.counters[ACCEPTED] = self.counters[ACCEPTED] - len(queue)
        before.counters[ACCEPTED] -= taken
        before.counters[DROPPED] = dropped
        self.counters[ACCEPTED_BEFORE] = before.counters[ACCEPTED]
        self.counters[DROPPED_BEFORE] = dropped
        before.release()

    def remove(self) -> None:
        """Nothing is missing at the sequence's end, or somebody has closed it."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)
        self.release()

    def release(self) -> None:
        """Its publisher has ended. The counters stay: a thread may be counting."""
        handle, self._handle = self._handle, None
        if handle is not None:
            unlock(handle)

    def abandon_after_fork(self) -> None:
        """In a forked child: the lock is the parent's, for as long as that lives."""
        if self._map is not None and self._handle is not None:
            counters, self.counters = self.counters, array("Q", bytes(_COUNTERS))
            if isinstance(counters, memoryview):
                counters.release()
            self._map.close()
            self._handle.close()


def unclosed(folder: Path, spool: Path) -> Iterator[SequenceCounters]:
    """Those whose worker and forwarder are dead, each locked for the caller."""
    with contextlib.suppress(OSError):
        make_private(folder)
        for path in sorted(folder.glob(f"{_prefix(spool)}*.tally")):
            # ValueError: what is in it is no tally. It is nobody's, and left alone.
            with contextlib.suppress(OSError, ValueError):
                handle = lock(path, create=False)
                if os.fstat(handle.fileno()).st_size < _SIZE:  # killed when it had just begun
                    handle.close()
                    path.unlink(missing_ok=True)
                    continue
                tally = SequenceCounters(path, handle)
                if tally.next_seq > 0:
                    yield tally
                else:
                    tally.remove()


def _prefix(spool: Path) -> str:
    return hashlib.sha256(os.fsencode(spool.absolute())).hexdigest()[:16] + "-"
