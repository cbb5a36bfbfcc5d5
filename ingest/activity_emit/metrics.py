"""What a publisher has done so far, as numbers and as Prometheus text."""

from dataclasses import dataclass, fields
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from platform import python_version

from activity_emit.rules import IgnoredReason


@dataclass(slots=True)
class PublisherMetrics:
    """Events, if not said otherwise. `accepted` = all others that end an event + those waiting."""

    accepted: int = 0  # taken over from requests
    ignored: int = 0  # for whatever reason: the sum of all `ignored_`
    published: int = 0  # acknowledged by Kafka
    dropped: int = 0  # the queue was full: lost, and a gap in seq
    spool_full: int = 0  # the spool was at its cap: lost, and a gap in seq
    failed: int = 0  # could not be built (a hook raised, ...): lost, and a gap in seq
    left: int = 0  # still in memory when the publisher had to stop: lost
    spool_errors: int = 0  # flushes the disk refused; they went the way through memory
    queued: int = 0  # waiting in memory now
    spooled: int = 0  # bytes waiting in the spool now
    ignored_handler: int = 0  # `activity.ignore`
    ignored_rule: int = 0  # a rule says so
    ignored_sample: int = 0  # a rule's share leaves it out
    ignored_stranger: int = 0  # at a path of an org, by nobody of it, see ADR 0007
    ignored_no_org: int = 0  # belongs to no org
    principal_errors: int = 0  # `principal=` has raised, or told nothing: recorded without it

    def ignore(self, reason: IgnoredReason) -> None:
        """One more request is no event."""
        self.ignored += 1
        name = f"ignored_{reason}"
        setattr(self, name, getattr(self, name) + 1)


#: The name it had up to 0.2.
Counts = PublisherMetrics

_GAUGES = {"queued", "spooled"}
_HELP = {
    "accepted": "Events taken over from requests.",
    "ignored": "Requests that are no event, for whatever reason.",
    "published": "Events acknowledged by Kafka.",
    "dropped": "Events lost because the queue was full; each is a gap in seq.",
    "spool_full": "Events lost because the spool was at its cap; each is a gap in seq.",
    "failed": "Events lost because they could not be built; each is a gap in seq.",
    "left": "Events lost because they were in memory when the publisher had to stop.",
    "spool_errors": "Flushes that the disk refused; their events went the way through memory.",
    "queued": "Events that wait in memory.",
    "spooled": "Bytes that wait in the spool.",
    "principal_errors": "Events recorded without a principal, because `principal=` failed.",
}
_REASONS = {f"ignored_{reason}": reason for reason in IgnoredReason}


def prometheus(metrics: PublisherMetrics) -> str:
    """Prometheus' text format, for a service's own /metrics page."""
    lines: list[str] = []
    for field in fields(metrics):
        if field.name in _REASONS:
            continue
        gauge = field.name in _GAUGES
        unit = "bytes" if field.name == "spooled" else "events"
        name = f"activity_emit_{field.name}_{unit}" + ("" if gauge else "_total")
        lines += [
            f"# HELP {name} {_HELP[field.name]}",
            f"# TYPE {name} {'gauge' if gauge else 'counter'}",
            f"{name} {getattr(metrics, field.name)}",
        ]
    lines += [
        "# HELP activity_emit_ignored_total Requests that are no event, by why.",
        "# TYPE activity_emit_ignored_total counter",
    ]
    for name, reason in _REASONS.items():
        lines.append(f'activity_emit_ignored_total{{reason="{reason}"}} {getattr(metrics, name)}')
    built = f'python="{python_version()}",version="{_release()}"'
    lines += [
        "# HELP activity_emit_build_info Always 1; labels tell the release and its Python.",
        "# TYPE activity_emit_build_info gauge",
        f"activity_emit_build_info{{{built}}} 1",
    ]
    return "\n".join(lines) + "\n"


@cache
def _release() -> str:
    try:
        return version("activity-emit")
    except PackageNotFoundError:  # copied, not installed
        return "unknown"
