"""Where consumers have stopped because of poison, and what the operator said to it."""

from dataclasses import dataclass

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.errors import NoSuchStopError
from activity_consume.record import TopicPartition


@dataclass(frozen=True, slots=True)
class PoisonRun:
    """Messages in a row that are no events. `why`: of the last one, for people."""

    partition: TopicPartition
    first_offset: int
    last_offset: int
    messages: int
    why: str

    def __str__(self) -> str:
        return (
            f"{self.partition}: {self.messages} messages in a row are no events, offsets"
            f" {self.first_offset} to {self.last_offset} (the last: {self.why}). They are in the"
            " dead letters, and nothing after them is read. Mend the producer. To go on, run"
            " `activity dlq accept"
            f" {self.partition.label}/{self.partition.partition}/{self.last_offset}`"
            " and start the consumer again; ACTIVITY_CONSUMER_POISON_LIMIT is how many in a row are"
            " too many"
        )


@dataclass(frozen=True, slots=True)
class PoisonStop:
    """`accepted_offset`: up to and with this one poison is known; -1: nobody has said so."""

    run: PoisonRun
    accepted_offset: int = -1

    @property
    def is_accepted(self) -> bool:
        """The consumer may go on."""
        return self.accepted_offset >= self.run.last_offset

    def holds(self, next_offset: int, limit: int) -> bool:
        """The consumer, which is at `next_offset`, must not go on. `limit`: how many in a row are
        too many, as of today."""
        behind = next_offset > self.run.last_offset + 1
        return not (self.is_accepted or behind or self.run.messages < limit)


class PoisonStops:
    """The table `poison_stops`. Everything raises ClickHouseError when the engine is away."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def write(self, stop: PoisonStop) -> None:
        """In the table when this returns; the partition's last word."""
        run = stop.run
        row = (
            run.partition.label,
            run.partition.partition,
            run.first_offset,
            run.last_offset,
            run.messages,
            run.why,
            stop.accepted_offset,
        )
        await self._client.insert("poison_stops", [row], _COLUMNS, settings={"async_insert": 0})

    async def find(self, partition: TopicPartition) -> PoisonStop | None:
        """The last one of a partition."""
        result = await self._client.query(
            f"SELECT {', '.join(_COLUMNS)} FROM poison_stops FINAL"  # noqa: S608 - our own names
            " WHERE topic = {t:String} AND partition = {p:UInt16}",
            {"t": partition.label, "p": partition.partition},
        )
        for _, _, first, last, messages, why, accepted in result.result_rows:
            return PoisonStop(PoisonRun(partition, first, last, messages, why), accepted)
        return None

    async def accept(self, partition: TopicPartition, offset: int) -> PoisonRun:
        """Poison up to and with `offset` stops nothing; may be said again. Raises NoSuchStopError
        unless a consumer has stopped there or before."""
        stop = await self.find(partition)
        if stop is None:
            raise NoSuchStopError(f"no consumer has stopped at poison in {partition}")
        if offset < stop.run.last_offset:
            raise NoSuchStopError(
                f"the consumer has stopped at offset {stop.run.last_offset} of {partition}: accept"
                f" {partition.label}/{partition.partition}/{stop.run.last_offset}, or a later"
                " offset"
            )
        await self.write(PoisonStop(stop.run, max(offset, stop.accepted_offset)))
        return stop.run


_COLUMNS = [
    *("topic", "partition", "first_offset", "last_offset", "messages", "why", "accepted_offset"),
]
