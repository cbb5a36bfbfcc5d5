"""How a relay is put together: the one place for the service's process and the forwarder's."""

from collections import deque
from dataclasses import dataclass

from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.local_sender import LocalSender
from activity_emit.delivery.outbox import Outbox
from activity_emit.delivery.relay import Relay
from activity_emit.event.builder import Builder
from activity_emit.event.draft import Committed, Draft
from activity_emit.event.encoder import EventEncoder, Hook
from activity_emit.event.numbering import Numbering
from activity_emit.event.sequence import SequenceCounters
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_emit.settings import RelayConfig


@dataclass(frozen=True, slots=True)
class Components:
    """The classes that a relay is made of. The fault tests replace one of them by a weaker one."""

    numbering: type[Numbering] = Numbering
    outbox: type[Outbox] = Outbox
    sender: type[KafkaSender] = KafkaSender
    #: What `python -m` runs as the forwarder, to be made of the same components.
    forwarder: tuple[str, ...] = ("activity_emit.forwarder",)


def build_relay(
    config: RelayConfig,
    *,
    queue: "deque[Draft | Committed]",
    counters: SequenceCounters,
    metrics: PublisherMetrics,
    log: RateLimitedLogger,
    hook: Hook | None = None,
    components: Components | None = None,
    own_process: bool = False,
) -> Relay:
    """A relay that has not started. Opens and connects nothing; `Relay.run` does."""
    components = components or Components()
    sender: KafkaSender | LocalSender
    if config.brokerless:
        sender = LocalSender(config.directory, config.producer_id)
    else:
        sender = components.sender(
            config.kafka,
            config.current_security,
            config.client_options,
            traceparent=config.emit.traceparent,
        )
    builder = Builder(
        queue=queue,
        encoder=EventEncoder(config.emit, hook),
        numbering=(numbering := components.numbering(config.producer_id, metrics, counters)),
        metrics=metrics,
        log=log,
    )
    return Relay(
        config,
        queue=queue,
        builder=builder,
        numbering=numbering,
        sender=sender,
        new_outbox=components.outbox,
        metrics=metrics,
        log=log,
        own_process=own_process,
    )
