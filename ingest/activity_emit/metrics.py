"""What a publisher has done so far, as numbers and as Prometheus text."""

from dataclasses import dataclass, fields


@dataclass(slots=True)
class PublisherMetrics:
    """Events, if not said otherwise. `accepted` = all others that end an event + those waiting."""

    accepted: int = 0  # taken over from requests
    ignored: int = 0  # by rule, or without an org
    published: int = 0  # acknowledged by Kafka
    dropped: int = 0  # the queue was full: lost, and a gap in seq
    spool_full: int = 0  # the spool was at its cap: lost, and a gap in seq
    failed: int = 0  # could not be built (a hook raised, ...): lost, and a gap in seq
    left: int = 0  # still in memory when the publisher had to stop: lost
    spool_errors: int = 0  # flushes the disk refused; they went the way through memory
    queued: int = 0  # waiting in memory now
    spooled: int = 0  # bytes waiting in the spool now


#: The name it had up to 0.2.
Counts = PublisherMetrics

_GAUGES = {"queued", "spooled"}


def prometheus(metrics: PublisherMetrics) -> str:
    """Prometheus' text format, for a service's own /metrics page."""
    lines: list[str] = []
    for field in fields(metrics):
        gauge = field.name in _GAUGES
        unit = "bytes" if field.name == "spooled" else "events"
        name = f"activity_emit_{field.name}_{unit}" + ("" if gauge else "_total")
        lines += [
            f"# TYPE {name} {'gauge' if gauge else 'counter'}",
            f"{name} {getattr(metrics, field.name)}",
        ]
    return "\n".join(lines) + "\n"
