"""Too many messages in a row that are no events: a broken producer, or a wrong topic. No I/O."""

from dataclasses import dataclass

from activity_consume.batching.batch import Source


@dataclass(frozen=True, slots=True)
class PoisonRun:
    """Messages in a row that are no events. `why`: of the last one, for people."""

    source: Source
    first_offset: int
    last_offset: int
    messages: int
    why: str

    def __str__(self) -> str:
        return (
            f"{self.source}: {self.messages} messages in a row are no events, offsets"
            f" {self.first_offset} to {self.last_offset} (the last: {self.why}). They are in the"
            " dead letters, and nothing after them is read. Mend the producer. To go on, run"
            f" `activity dlq accept {self.source.label}/{self.source.partition}/{self.last_offset}`"
            " and start the consumer again; ACTIVITY_CONSUMER_POISON_LIMIT is how many in a row are"
            " too many"
        )


class PoisonError(Exception):
    """Too many messages in a row are no events; the text says which, and what to do."""

    def __init__(self, run: PoisonRun) -> None:
        super().__init__(str(run))
        self.run = run


class PoisonCount:
    """Counts them in one partition."""

    def __init__(self, source: Source, limit: int, accepted_offset: int = -1) -> None:
        """`accepted_offset`: up to and with this one an operator knows of them."""
        self._source = source
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
        return PoisonRun(self._source, self._first_offset, offset, self._messages, why)
