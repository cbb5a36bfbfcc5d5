"""What a publisher is made of."""

from dataclasses import dataclass

from ingest.emit.builder import Builder
from ingest.emit.kafka import KafkaSender
from ingest.emit.outbox import Outbox


@dataclass(frozen=True, slots=True)
class Parts:
    """The fault tests take one protection out of one of them."""

    builder: type[Builder] = Builder
    outbox: type[Outbox] = Outbox
    sender: type[KafkaSender] = KafkaSender
    #: What `python -m` runs as the forwarder, to be made of the same parts.
    forwarder: tuple[str, ...] = ("ingest.emit.forward",)
