"""Every metric of every part: `python -m activity_deploy.metrics` prints docs/metrics.md, which a
test compares."""

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from activity_api.app import route_templates
from activity_api.metrics import ApiMetrics
from activity_consume.metrics import Stats
from activity_consume.record import TopicPartition
from activity_deploy.clickhouse.metrics import EngineMetrics
from activity_emit.metrics import PublisherMetrics, prometheus

_HEAD = """\
# Metrics

What each part tells Prometheus. Every series is there from the start, with 0; those by partition
as soon as the partition is held, and no longer than that where they tell how it stands. No label
holds an organisation, a user or a path. This page is made of the registries by `make schemas`;
alerts on them: [runbook.md](runbook.md).

| part | where | a port of its own |
|---|---|---|
| consumer | `/metrics` on `ACTIVITY_CONSUMER_PORT` | `ACTIVITY_CONSUMER_METRICS_PORT` |
| read API | `/metrics` on `ACTIVITY_API_PORT`, without a token: keep it from the outside at your \
proxy, or give it a port | `ACTIVITY_API_METRICS_PORT`; then the API's port answers 404 |
| emitter | on your service's own page: [emit.md](emit.md) | |
| local stack | the demo service (as an emitter) and the local ClickHouse: `/metrics` | |
| tables | `SELECT * FROM event_gap_metrics FORMAT Prometheus`, and `event_duplicate_metrics`: \
once a minute, with a user and a password | |

With several `ACTIVITY_API_WORKERS` any of them answers for all (prometheus_client's multiprocess
mode, in a directory for temporary files); `process_...` is then left out.
"""


def pages() -> dict[str, list[Metric]]:
    """The families of each part, with an example of every series."""
    stats, partition = Stats(), TopicPartition("activity.events.v1", 0)
    stats.held(partition)
    stats.state.topics = (partition.topic,)
    stats.state.unreadable[partition] = 0
    emitted = prometheus(PublisherMetrics())
    return {
        "Consumer": _families(stats.prometheus()),
        "Read API": _families(ApiMetrics(route_templates()).page()),
        "Emitter": _families(emitted.encode()),
        "Local ClickHouse": _families(EngineMetrics().page()),
    }


def _families(page: bytes) -> list[Metric]:
    return list(text_string_to_metric_families(page.decode()))


def to_markdown() -> str:
    """docs/metrics.md."""
    lines = [_HEAD.rstrip("\n")]
    for part, families in pages().items():
        lines += ["", f"## {part}", "", "| metric | type | labels | meaning |", "|---|---|---|---|"]
        lines += sorted(map(_row, families))
    return "\n".join(lines) + "\n"


def names(families: Iterable[Metric]) -> Iterator[str]:
    """As a query writes them, but for a histogram's endings."""
    for family in families:
        yield f"{family.name}_total" if family.type == "counter" else family.name


def _row(family: Metric) -> str:
    [name] = names([family])
    labels: dict[str, list[str]] = {}
    for sample in family.samples:
        for label, value in sample.labels.items():
            if label != "le" and value not in labels.setdefault(label, []):
                labels[label].append(value)
    told = ", ".join(_label(label, values) for label, values in labels.items())
    return f"| `{name}` | {family.type} | {told} | {family.documentation} |"


def _label(label: str, values: list[str]) -> str:
    known = label in ("reason", "cause", "outcome", "kind", "limit")
    return f"`{label}` ({', '.join(values)})" if known else f"`{label}`"


if __name__ == "__main__":
    print(to_markdown(), end="")
