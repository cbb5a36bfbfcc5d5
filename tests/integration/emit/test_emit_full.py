"""A spool at its cap, and none at all: counted, said once, and nobody waits."""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from activity_emit import EmitSettings, KafkaPublisher, KafkaSettings, SpoolSettings, prometheus
from activity_emit.delivery.outbox import Outbox
from activity_emit.event.encode import ProducerRecord
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_spool.spool import open_spool
from tests.integration.emit.harness import WORKERS, Relay, Stopper, read, spooled, until


@pytest.mark.parametrize("worker", WORKERS)
async def test_past_the_cap_the_newest_are_dropped_counted_and_said_once(
    kafka_bootstrap: str,
    topic: str,
    tmp_path: Path,
    worker: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Relay(kafka_bootstrap) as relay:
        events = KafkaPublisher(
            KafkaSettings(bootstrap_servers=relay.address, topic=topic),
            EmitSettings.model_validate({"worker": worker, "stop_timeout_s": 20}),
            SpoolSettings(dir=tmp_path, max_bytes=10_000),  # some 35 events
        )
        with contextlib.closing(Stopper(events)):
            events.record(org_id="o1", action="create", path="/first")
            await until(lambda: len(spooled(tmp_path) or []) == 1)  # from here on small flushes
            for number in range(100):
                assert events.record(org_id="o1", action="create", path=f"/{number}")
                await asyncio.sleep(0.01)
            await until(lambda: len(spooled(tmp_path) or []) + events.counts().spool_full == 101)
            kept = [json.loads(line)["seq"] for line in spooled(tmp_path) or []]
            assert kept[0] == 0
            assert 1 < len(kept) < 40
            assert f"activity_emit_spool_full_events_total {101 - len(kept)}\n" in prometheus(
                events.counts()
            )
            relay.open = True
            await until(lambda: events.counts().published == len(kept))
            events.record(org_id="o1", action="create", path="/last")  # there is room again
            await until(lambda: events.counts().published == len(kept) + 1)
    found = [json.loads(r.value)["seq"] for r in await read(kafka_bootstrap, topic, len(kept) + 1)]
    # The holes are what was dropped: a smaller event may still fit in after a larger one.
    assert found == [*kept, 101]
    assert caplog.text.count("activity spool is full") == 1


@pytest.mark.parametrize(("cap", "kept"), [(9, 0), (10, 1), (31, 2), (32, 3), (109, 10), (500, 10)])
def test_of_a_flush_that_is_larger_than_the_room_the_oldest_events_are_kept(
    tmp_path: Path, cap: int, kept: int
) -> None:
    """A service that was held up hands over much at once; it loses what does not fit, not all."""
    outbox = Outbox(
        open_spool(tmp_path, "one", cap), (10, 1 << 20), PublisherMetrics(), RateLimitedLogger()
    )
    records = [ProducerRecord(b"o1", b'{"seq":%2d}' % n) for n in range(10)]  # 10 bytes each
    assert outbox.add(records) == kept
    assert sum(batch.records == records[:kept] for batch in outbox.head(100)) == (kept > 0)
    outbox.close()


@pytest.mark.parametrize("worker", WORKERS)
async def test_where_no_spool_can_be_memory_does_and_the_log_says_so(
    kafka_bootstrap: str, topic: str, worker: str, caplog: pytest.LogCaptureFixture
) -> None:
    directory = Path("/proc/self")  # refuses every file, to root too
    events = KafkaPublisher(
        KafkaSettings(bootstrap_servers=kafka_bootstrap, topic=topic),
        EmitSettings.model_validate({"worker": worker, "stop_timeout_s": 20}),
        SpoolSettings(dir=directory / "spool"),
    )
    async with events:
        for number in range(20):
            assert events.record(org_id="o1", action="create", path=f"/{number}")
        await until(lambda: events.counts().published == 20)
    await read(kafka_bootstrap, topic, 20)
    assert caplog.text.count("no activity spool, events wait in memory") == 1
