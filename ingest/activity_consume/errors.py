"""What goes wrong in the consumer. Each text is for the operator: one line, with what to do."""

from enum import Enum, auto


class ConsumerError(Exception):
    """The base of all errors that this package raises by itself."""


class StopError(ConsumerError):
    """The consumer must not go on; the text says why and what to do."""


class GapError(ConsumerError):
    """The topic and the table contradict each other; the text says how, and what to do."""


class PoisonError(ConsumerError):
    """Too many messages in a row are no events; the text says which, and what to do."""


class PartitionLostError(ConsumerError):
    """The group has given the partition away: whatever is in memory is somebody else's now."""


class TopicChangedError(ConsumerError):
    """Partitions were added: a copy of what is in memory may have come in another partition before,
    and was not looked for. It is to be read once more."""


class NoSuchStopError(ConsumerError):
    """The operator accepts poison where no consumer has stopped; the text says where one has."""


class UnknownDeadLetterError(ConsumerError):
    """There is no such dead letter; the text says which."""


class InsertFailure(Enum):
    """How an insert ended that was not confirmed."""

    #: The engine has said no to the data: sending it again is no use.
    REJECTED = auto()
    #: The lease was over, or the engine is in trouble. It has ended; some of it may be in.
    FAILED = auto()
    #: No answer: all, some or none of it may be in, now or later.
    UNKNOWN = auto()


class InsertError(ConsumerError):
    """An insert that was not confirmed."""

    def __init__(self, failure: InsertFailure, text: str) -> None:
        super().__init__(text)
        self.failure = failure


def first_line(error: BaseException) -> str:
    """An error's text for a log line: one line, without the query's echo."""
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:500]
