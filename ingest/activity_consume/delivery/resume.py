"""Resuming a partition: where to go on, so that nothing is written twice or left out."""

import logging
from dataclasses import dataclass

from activity_consume.batching.accumulator import BatchAccumulator
from activity_consume.dead_letter.poison_stops import PoisonStops
from activity_consume.delivery.lease import Lease
from activity_consume.delivery.offsets import Committed, LogBounds, OffsetStore
from activity_consume.erasure.known import Erasures
from activity_consume.errors import GapError, PoisonError
from activity_consume.record import TopicPartition
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import ClickHouseSink, Progress

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ResumePoint:
    """The first offset to read, and why, for the log."""

    offset: int
    because: str


async def resume(
    partition: TopicPartition,
    offset_store: OffsetStore,
    sink: ClickHouseSink,
    stops: PoisonStops,
    settings: ConsumerSettings,
    *,
    partitions: int,
    erasures: Erasures,
) -> BatchAccumulator:
    """Ask Kafka and ClickHouse how far the partition is. `partitions`: how many share the memory.
    `erasures`: what is to be kept out.

    The order is the protocol's: first the former owner's lease, then wait until none of its inserts
    can arrive any more, and only then ask what is there.
    Raises GapError, and PoisonError where it has stopped before and nobody has accepted that;
    KafkaError and ClickHouseError: try again.
    """
    committed = await offset_store.committed(partition)
    lease = committed.lease if committed else None
    if lease is None and (committed or await sink.progress(partition, 0)):
        # Somebody has reset the group, and with it the last owner's lease. None is longer:
        longest = int(settings.session_timeout_s * 1000)
        await sink.wait_for_inflight_inserts(partition, await sink.now_ms() + longest)
    elif lease and not lease.released:
        await sink.wait_for_inflight_inserts(partition, lease.until_ms)
    # Rows of the batch that the commit tells of are at its first offset or after it.
    since = 0
    if committed and lease:
        since = lease.written if lease.written >= 0 else committed.offset
    progress = await sink.progress(partition, since)
    bounds = await offset_store.bounds(partition)
    if committed and lease and _is_older(progress, lease):
        progress = await sink.progress(partition, 0)
        log.warning(
            "%s: the table lacks rows that were there (is it restored from a backup?): what is"
            " missing is read again",
            partition,
        )
        point = resume_older(partition, committed, progress, bounds, settings)
    else:
        point = resume_offset(partition, committed, progress, bounds, settings)
    stop = await stops.find(partition)
    if stop and stop.holds(point.offset, settings.poison_limit):
        raise PoisonError(str(stop.run))
    existing = await sink.existing_offsets(partition, point.offset)
    ids = await sink.ids(partition, max(1, settings.id_window // partitions))
    log.info(
        "%s: from offset %d on (%s); %d of the next rows are in the table already",
        *(partition, point.offset, point.because, len(existing)),
    )
    accepted = stop.accepted_offset if stop else -1
    return BatchAccumulator(
        *(partition, point.offset, existing, ids, settings),
        accepted_offset=accepted,
        written_base=progress.base_offset if progress else -1,
        erasures=lambda: erasures.known,
    )


def _is_older(progress: Progress | None, lease: Lease) -> bool:
    """The table has not even what was in it at the last commit."""
    return lease.written > (progress.base_offset if progress else -1)


def resume_offset(
    partition: TopicPartition,
    committed: Committed | None,
    progress: Progress | None,
    log_bounds: LogBounds,
    settings: ConsumerSettings,
) -> ResumePoint:
    """Where to go on. A row with `_base_offset` b proves that all below b is settled, so the table
    is right where the group's offsets are missing, reset or behind. Raises GapError."""
    base = progress.base_offset if progress else 0
    if committed and committed.lease and committed.offset >= base:
        point = ResumePoint(committed.offset, "as committed")
    elif progress or (committed and committed.lease):
        point = ResumePoint(base, "as ClickHouse has it; the group's offset is behind or not ours")
    else:
        return ResumePoint(
            log_bounds.begin, "the first there is; neither Kafka nor ClickHouse has more"
        )
    known_end = max(point.offset, progress.last_offset + 1 if progress else 0)
    if log_bounds.end < known_end:
        raise cut_off(partition, log_bounds.end, known_end)
    if log_bounds.begin > point.offset:
        return after_gap(partition, point.offset, log_bounds, settings)
    return point


def resume_older(
    partition: TopicPartition,
    committed: Committed,
    progress: Progress | None,
    log_bounds: LogBounds,
    settings: ConsumerSettings,
) -> ResumePoint:
    """Where to go on with a table that is older than the group. Raises GapError where the topic no
    longer has what is missing."""
    if log_bounds.end < committed.offset:
        raise cut_off(partition, log_bounds.end, committed.offset)
    if progress is None:
        return ResumePoint(log_bounds.begin, "the first there is; the table has nothing of it")
    return resume_offset(partition, None, progress, log_bounds, settings)


def cut_off(partition: TopicPartition, end: int, settled: int) -> GapError:
    """The topic is shorter than what was read of it."""
    return GapError(
        f"{partition} ends at offset {end}, but all below {settled} was read before: the topic was"
        " created anew or cut off. To read it from its beginning beside the old rows:"
        f" `activity topic accept {partition.topic}`, and start the consumer again; or give the new"
        " topic another name (ACTIVITY_KAFKA_TOPIC)"
    )


def after_gap(
    partition: TopicPartition, expected: int, log_bounds: LogBounds, settings: ConsumerSettings
) -> ResumePoint:
    """Raises GapError, unless the settings say that lost is lost."""
    text = (
        f"{partition}: Kafka's retention has deleted {log_bounds.begin - expected} messages that"
        f" were never read (offsets {expected} to {log_bounds.begin - 1})"
    )
    if settings.on_retention_gap == "stop":
        raise GapError(
            f"{text}. To go on without them, set ACTIVITY_CONSUMER_ON_RETENTION_GAP=continue"
        )
    log.error("%s; going on without them", text)
    return ResumePoint(log_bounds.begin, "after the gap")
