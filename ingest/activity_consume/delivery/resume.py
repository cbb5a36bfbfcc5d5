"""Taking over a partition: where to go on, so that nothing is written twice or left out."""

import logging
from dataclasses import dataclass

from activity_consume.batching.accumulator import Intake
from activity_consume.batching.batch import Source
from activity_consume.batching.poison import PoisonError
from activity_consume.dead_letter.poison_stops import PoisonStops
from activity_consume.delivery.offsets import CommitLog, Committed, LogBounds
from activity_consume.settings import ConsumerSettings
from activity_consume.sink.clickhouse import EventStore, Progress

log = logging.getLogger(__name__)


class GapError(Exception):
    """The topic and the table contradict each other; the text says how, and what to do."""


@dataclass(frozen=True, slots=True)
class Resume:
    """The first offset to read, and why, for the log."""

    offset: int
    because: str


async def take_over(
    source: Source,
    commits: CommitLog,
    store: EventStore,
    stops: PoisonStops,
    settings: ConsumerSettings,
    *,
    partitions: int,
) -> Intake:
    """Ask Kafka and ClickHouse how far the partition is. `partitions`: how many share the memory.

    The order is the protocol's: first the former owner's lease, then wait until none of its inserts
    can arrive any more, and only then ask what is there.
    Raises GapError, and PoisonError where it has stopped before and nobody has accepted that;
    KafkaError and ClickHouseError: try again.
    """
    committed = await commits.committed(source)
    lease = committed.lease if committed else None
    if lease is None and (committed or await store.progress(source, 0)):
        # Somebody has reset the group, and with it the last owner's lease. None is longer:
        longest = int(settings.session_timeout_s * 1000)
        await store.wait_until_quiet(source, await store.now_ms() + longest)
    elif lease and not lease.released:
        await store.wait_until_quiet(source, lease.until_ms)
    progress = await store.progress(source, committed.offset if committed and lease else 0)
    resume = where(source, committed, progress, await commits.bounds(source), settings)
    stop = await stops.find(source)
    if stop and stop.holds(resume.offset, settings.poison_limit):
        raise PoisonError(stop.run)
    present = await store.present(source, resume.offset)
    ids = await store.ids(source, max(1, settings.id_window // partitions))
    log.info(
        "%s: from offset %d on (%s); %d of the next rows are in the table already",
        *(source, resume.offset, resume.because, len(present)),
    )
    accepted = stop.accepted_offset if stop else -1
    return Intake(source, resume.offset, present, ids, settings, accepted_offset=accepted)


def where(
    source: Source,
    committed: Committed | None,
    progress: Progress | None,
    log_bounds: LogBounds,
    settings: ConsumerSettings,
) -> Resume:
    """Where to go on. A row with `_base_offset` b proves that all below b is settled, so the table
    is right where the group's offsets are missing, reset or behind. Raises GapError."""
    base = progress.base_offset if progress else 0
    if committed and committed.lease and committed.offset >= base:
        resume = Resume(committed.offset, "as committed")
    elif progress or (committed and committed.lease):
        resume = Resume(base, "as ClickHouse holds; the group's offsets are behind or not ours")
    else:
        return Resume(log_bounds.begin, "the first there is; neither Kafka nor ClickHouse has more")
    known_end = max(resume.offset, progress.last_offset + 1 if progress else 0)
    if log_bounds.end < known_end:
        raise cut_off(source, log_bounds.end, known_end)
    if log_bounds.begin > resume.offset:
        return after_gap(source, resume.offset, log_bounds, settings)
    return resume


def cut_off(source: Source, end: int, settled: int) -> GapError:
    """The topic is shorter than what was read of it."""
    return GapError(
        f"{source} ends at offset {end}, but all below {settled} was read before: the topic was"
        " created anew or cut off. To read it from its beginning beside the old rows:"
        f" `activity topic accept {source.topic}`, and start the consumer again; or give the new"
        " topic another name (ACTIVITY_KAFKA_TOPIC)"
    )


def after_gap(
    source: Source, expected: int, log_bounds: LogBounds, settings: ConsumerSettings
) -> Resume:
    """Raises GapError, unless the settings say that lost is lost."""
    text = (
        f"{source}: Kafka's retention has deleted {log_bounds.begin - expected} messages that were"
        f" never read (offsets {expected} to {log_bounds.begin - 1})"
    )
    if settings.on_retention_gap == "stop":
        raise GapError(
            f"{text}. To go on without them, set ACTIVITY_CONSUMER_ON_RETENTION_GAP=continue"
        )
    log.error("%s; going on without them", text)
    return Resume(log_bounds.begin, "after the gap")
