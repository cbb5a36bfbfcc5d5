"""Which number an event gets: `producer_id` and `seq`."""

from collections import deque
from collections.abc import Iterable

from activity_emit.event.sequence import UNNUMBERED, SequenceCounters
from activity_emit.metrics import PublisherMetrics


class Numbering:
    """The numbers of one producer, from 0. Used from the relay's thread only. Never blocks, except
    that `stored` and `end` remove small files from shared memory.

    A number that no stored record has is a gap, and a gap is a proof of loss. So the events that
    the full queue has turned away, and those that cannot be built, use up numbers too.
    """

    def __init__(
        self, producer_id: str, metrics: PublisherMetrics, counters: SequenceCounters
    ) -> None:
        self._producer_id = producer_id
        self._metrics = metrics
        self._counters = counters
        self._seq = 0
        self._dropped = metrics.dropped  # what a former run dropped has numbers of its own
        self._complete = True  # the highest number so far is on a record
        self._unclosed: deque[SequenceCounters] = deque()
        self._closing: list[SequenceCounters] = []  # their records are not stored yet

    def next(self) -> tuple[str, int]:
        """The next record's producer and number.

        While sequences of dead producers are open, it is the last number of one of those.
        """
        if self._unclosed:
            dead = self._unclosed.popleft()
            self._closing.append(dead)
            self.leave_out()
            return dead.producer_id, dead.next_seq
        self._complete = True
        return self._producer_id, self._next_seq()

    def skip(self) -> None:
        """An event is lost before it has a number: one number is to be missing."""
        self._complete = False
        self._seq += 1

    def leave_out(self) -> None:
        """An event gets no number of this producer, and is not lost."""
        self._counters.counters[UNNUMBERED] += 1

    def close(self, dead: Iterable[SequenceCounters]) -> None:
        """The next records are the last ones of these producers' sequences."""
        self._unclosed.extend(dead)

    def stored(self, *, well: bool) -> None:
        """All records that have numbers so far are stored, or (not `well`) lost."""
        self._complete = well and self._complete
        for dead in self._closing:
            if well:
                dead.remove()
            else:
                self._unclosed.append(dead)
        self._closing.clear()

    def end(self) -> None:
        """No more records come. A sequence that nothing is missing from needs no successor."""
        if self._complete and self._counters.next_seq == self._seq:
            self._counters.remove()
        for dead in self._unclosed:
            dead.release()

    def _next_seq(self) -> int:
        dropped = self._metrics.dropped
        self._seq += 1 + dropped - self._dropped
        self._dropped = dropped
        return self._seq - 1
