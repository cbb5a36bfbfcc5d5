"""What a publisher is made of."""

from dataclasses import dataclass

from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.outbox import Outbox
from activity_emit.event.builder import Builder


@dataclass(frozen=True, slots=True)
class Parts:
    """The fault tests take one protection out of one of them."""

    builder: type[Builder] = Builder
    outbox: type[Outbox] = Outbox
    sender: type[KafkaSender] = KafkaSender
    #: What `python -m` runs as the forwarder, to be made of the same parts.
    forwarder: tuple[str, ...] = ("activity_emit.forwarder",)
