"""Too many messages in a row that are no events: a broken producer, or a wrong topic. No I/O."""

from collections.abc import Iterable

from activity_consume.dead_letter.model import DeadLetter
from activity_consume.dead_letter.poison_stops import PoisonRun
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason


class PoisonCount:
    """Counts them in one partition."""

    def __init__(self, partition: TopicPartition, limit: int, accepted_offset: int = -1) -> None:
        """`accepted_offset`: the operator knows of all poison up to and with this one."""
        self._partition = partition
        self._limit = limit
        self._accepted_offset = accepted_offset
        self._first_offset = 0
        self._messages = 0

    def good(self) -> None:
        """An event: the run has ended."""
        self._messages = 0

    def bad(self, offset: int, why: str) -> PoisonRun | None:
        """No event. The run, once it is too long."""
        if offset <= self._accepted_offset:
            return None
        if not self._messages:
            self._first_offset = offset
        self._messages += 1
        if self._messages < self._limit:
            return None
        return PoisonRun(self._partition, self._first_offset, offset, self._messages, why)

    def batch(self, events: Iterable[int], letters: Iterable[DeadLetter]) -> PoisonRun | None:
        """Those of a batch, in the order of their offsets; the first run that is too long.

        `events`: offsets, also of those that became a dead letter because the engine refused them.
        What could not be read is neither an event nor poison.
        """
        found = dict.fromkeys(events, "")
        for letter in letters:
            if letter.reason is not Reason.UNREADABLE:
                found[letter.record.offset] = letter.why
        for offset in sorted(found):
            if not (why := found[offset]):
                self.good()
            elif run := self.bad(offset, why):
                return run
        return None
