"""What each part tells Prometheus: described, from the start, and nothing by organisation."""

from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError
from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

from activity_api.metrics import LIMITS, STATUSES, ApiMetrics
from activity_consume.batching.batch import Batch
from activity_consume.errors import InsertError, InsertFailure
from activity_consume.gauges import CONCERNS
from activity_consume.health import Part
from activity_consume.metrics import CAUSES, Stats, cause
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from activity_deploy.clickhouse.metrics import EngineMetrics
from activity_deploy.metrics import names, pages, to_markdown
from activity_emit.metrics import PublisherMetrics, prometheus
from tests.support.metrics import samples, value, without_help
from tests.support.promtool import check_metrics

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"
PARTITION = TopicPartition("t", 3)
WHERE = {"topic": "t", "partition": "3"}
#: Each part's page as it is at its start.
AT_START = {
    "consumer": lambda: Stats().prometheus().decode(),
    "api": lambda: ApiMetrics(["/v1/orgs/{org_id}/activity"]).page().decode(),
    "emitter": lambda: prometheus(PublisherMetrics()),
    "engine": lambda: EngineMetrics().page().decode(),
}


def consumer_page(stats: Stats) -> str:
    return stats.prometheus(ready=False).decode()


def test_the_docs_say_what_the_registries_say() -> None:
    assert DOCS.read_text() == to_markdown()


@pytest.mark.parametrize("part", AT_START)
def test_promtool_has_nothing_to_complain_of(part: str) -> None:
    page = AT_START[part]()
    assert without_help(page) == []
    assert check_metrics(page) == ""


def test_promtool_sees_a_fault() -> None:
    assert "no help text" in check_metrics("# TYPE a_total counter\na_total 1\n")


@pytest.mark.parametrize("part", AT_START)
def test_every_part_tells_what_it_is(part: str) -> None:
    name = "activity_emit_build_info" if part == "emitter" else "activity_build_info"
    [(labels, number)] = samples(AT_START[part](), name).items()
    assert number == 1
    assert dict(labels).keys() - {"part"} == {"version", "python"}


def test_the_consumers_series_are_there_from_the_start() -> None:
    page = consumer_page(Stats())
    for part in Part:
        assert value(page, f"activity_consumer_{part}_up") == 1
    for name in ("ready", "group_members", "partitions_held", "buffered_bytes", "schema_drift"):
        assert value(page, f"activity_consumer_{name}") == 0
    for reason in Reason:
        assert value(page, "activity_consumer_refused_total", reason=reason.value) == 0
    for one in CAUSES:
        assert value(page, "activity_consumer_retries_total", cause=one) == 0
    for outcome in ("confirmed", "rejected", "failed", "unknown"):
        assert value(page, "activity_consumer_insert_seconds_count", outcome=outcome) == 0


def test_a_partitions_series_begin_when_it_is_held_and_its_state_ends_with_that() -> None:
    stats = Stats()
    before = consumer_page(stats)
    stats.held(PARTITION)
    during = consumer_page(stats)
    counted = ("events_total", "duplicates_dropped_total", "dead_letters_total", "batches_total")
    told = ("lag", "log_end_offset", "settled_offset", "open_transaction_seconds")
    for name in (*counted, *told, "last_settled_timestamp_seconds"):
        assert samples(before, f"activity_consumer_{name}") == {}
        assert value(during, f"activity_consumer_{name}", **WHERE) == 0
    stats.released(PARTITION)
    after = consumer_page(stats)
    assert value(after, "activity_consumer_events_total", **WHERE) == 0
    for name in (*told, "freshness_seconds"):
        assert samples(after, f"activity_consumer_{name}") == {}


def test_a_spool_that_is_gone_leaves_no_series() -> None:
    stats, spool = Stats(), TopicPartition("spool:a1", 0)
    stats.held(spool)
    stats.settled(spool, Batch(0, 1, count=1))
    stats.released(spool)
    assert "spool:a1" not in consumer_page(stats)


def test_what_was_settled_is_counted() -> None:
    stats = Stats(lambda: 1000.0)
    stats.held(PARTITION)
    stats.settled(PARTITION, Batch(0, 9, opened_at=998.0, count=7, size=700, duplicates=2))
    page = consumer_page(stats)
    assert value(page, "activity_consumer_events_total", **WHERE) == 7
    assert value(page, "activity_consumer_duplicates_dropped_total", **WHERE) == 2
    assert value(page, "activity_consumer_last_settled_timestamp_seconds", **WHERE) == 1000
    assert value(page, "activity_consumer_batch_rows_sum") == 7
    assert value(page, "activity_consumer_batch_bytes_sum") == 700
    assert value(page, "activity_consumer_batch_age_seconds_sum") == 2


def test_a_watermark_that_stands_still_gets_older_by_the_engines_clock() -> None:
    now = 1000.0
    stats = Stats(lambda: now)
    stats.held(PARTITION)
    now = 1007.0
    name = "activity_consumer_freshness_seconds"
    assert value(consumer_page(stats), name, **WHERE) == 7
    stats.complete(PARTITION, through_ms=1_061_000, server_ms=1_067_000)  # it is a minute ahead
    assert value(consumer_page(stats), name, **WHERE) == 6
    now = 1307.0
    assert value(consumer_page(stats), name, **WHERE) == 306


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (InsertError(InsertFailure.UNKNOWN, "x"), "insert_unknown"),
        (InsertError(InsertFailure.FAILED, "x"), "insert_failed"),
        (InsertError(InsertFailure.REJECTED, "x"), "insert_rejected"),
        (OperationalError("refused"), "clickhouse_away"),
        (KafkaConnectionError("x"), "kafka_away"),
        (OSError("x"), "kafka_away"),
        (TopicAuthorizationFailedError("x"), "kafka_error"),
    ],
)
def test_why_something_is_tried_again(error: Exception, name: str) -> None:
    stats = Stats()
    stats.failed(PARTITION, "what", error)
    assert value(consumer_page(stats), "activity_consumer_retries_total", cause=name) == 1


def test_an_engine_that_says_no_is_not_away() -> None:
    error = DatabaseError("Code: 241")
    error.code = 241
    assert cause(error) == "clickhouse_refused"


def test_a_topics_concerns_are_0_until_there_is_one() -> None:
    stats = Stats()
    stats.state.topics = ("t", "t.dlq")
    found = samples(consumer_page(stats), "activity_consumer_topic_concern")
    assert (len(found), set(found.values())) == (2 * len(CONCERNS), {0.0})
    stats.state.concerns = frozenset({("t", "compacted")})
    page = consumer_page(stats)
    assert value(page, "activity_consumer_topic_concern", topic="t", kind="compacted") == 1
    assert sum(samples(page, "activity_consumer_topic_concern").values()) == 1


def test_the_apis_series_are_there_from_the_start() -> None:
    page = AT_START["api"]()
    for status in STATUSES:
        for route in ("/v1/orgs/{org_id}/activity", "none"):
            where = {"route": route, "status": str(status)}
            assert value(page, "activity_api_requests_total", **where) == 0
    for limit in LIMITS:
        assert value(page, "activity_api_limited_total", limit=limit) == 0
    assert value(page, "activity_api_circuit_open") == 0


def test_no_path_becomes_a_label() -> None:
    metrics = ApiMetrics(["/a/{b}"])
    for number in range(50):
        metrics.began()
        metrics.ended(f"/a/{number}", 404, 0.1)
    page = metrics.page().decode()
    assert value(page, "activity_api_requests_total", route="none", status="404") == 50
    assert {dict(one)["route"] for one in samples(page, "activity_api_requests_total")} == {
        *("none", "/a/{b}")
    }


def test_a_watermark_that_is_not_known_is_as_old_as_the_api() -> None:
    metrics = ApiMetrics()
    metrics.complete(1.0)
    old = value(metrics.page().decode(), "activity_api_complete_through_age_seconds") or 0
    metrics.complete(None)
    page = metrics.page().decode()
    assert value(page, "activity_api_complete_through_timestamp_seconds") == 0
    assert old > 1e9 > (value(page, "activity_api_complete_through_age_seconds") or 0)


def test_each_name_begins_with_its_part() -> None:
    starts = ("activity_consumer_", "activity_api_", "activity_emit_", "activity_local_")
    for families in pages().values():
        for name in names(families):
            assert name.startswith((*starts, "process_")) or name == "activity_build_info"
