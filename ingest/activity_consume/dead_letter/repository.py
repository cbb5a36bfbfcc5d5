"""What people do with dead letters: look at them, send them once more, drop them."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.dead_letter.model import DeadLetterId, Status, StoredDeadLetter, Summary
from activity_consume.dead_letter.poison_stops import PoisonStops
from activity_consume.dead_letter.produce import send_as_is
from activity_consume.errors import UnknownDeadLetterError

# Whole letters in memory at once; each may be a message of the largest size.
_CHUNK = 50
_BY_ID = (
    "(source_topic, source_partition, source_offset) IN (SELECT x.1, x.2, x.3 FROM"
    " (SELECT arrayJoin(arrayZip({t:Array(String)}, {p:Array(UInt16)}, {o:Array(UInt64)})) AS x))"
)
_FROM_A_SPOOL = "from a spool and not from a topic; there is nowhere to send it"
_UNREADABLE = "unreadable"
_NEVER_READ = "it was never read, so there is nothing to send; drop it to let the consumer go on"
_KEPT = (
    "source_topic, source_partition, source_offset, reason, detail, key, value, headers,"
    " source_timestamp"
)


@dataclass(slots=True)
class Outcome:
    """What became of each letter."""

    done: list[DeadLetterId] = field(default_factory=list)
    #: Replayed or dropped before.
    passed_over: list[tuple[DeadLetterId, Status]] = field(default_factory=list)
    failed: list[tuple[DeadLetterId, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Count:
    """How many letters there are of one reason and status."""

    reason: str
    status: Status
    count: int


class DeadLetterRepository:
    """The letters in the table `dead_letters`.

    Everything raises ClickHouseError, and `replay` KafkaError; it may be called again then, for
    each letter is marked right after it was sent.
    """

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        #: Where there were too many in a row.
        self.stops = PoisonStops(client)

    async def count(self, status: Status | None = None, reason: str | None = None) -> int:
        """How many there are."""
        [[count]] = await self._select("count()", *_where(status, reason))
        return int(count)

    async def counts(self) -> list[Count]:
        """Of each reason and status that occurs, the most frequent first."""
        rows = await self._select(
            "reason, toString(status), count()",
            "true GROUP BY reason, status ORDER BY count() DESC, reason, status",
            {},
        )
        return [Count(reason.decode(), Status(status.decode()), n) for reason, status, n in rows]

    async def summaries(
        self, status: Status | None = None, reason: str | None = None, limit: int = 50
    ) -> list[Summary]:
        """The youngest, without their bytes."""
        where, values = _where(status, reason)
        order = "source_timestamp DESC, source_topic, source_partition, source_offset DESC"
        rows = await self._select(
            Summary.COLUMNS, f"{where} ORDER BY {order} LIMIT {{n:UInt32}}", values | {"n": limit}
        )
        return [Summary.from_row(row) for row in rows]

    async def ids(self, status: Status, reason: str | None = None) -> list[DeadLetterId]:
        """All of them, in the order in which they stand in their partitions."""
        where, values = _where(status, reason)
        columns = "source_topic, source_partition, source_offset"
        rows = await self._select(columns, f"{where} ORDER BY ALL", values)
        return [DeadLetterId.from_row(row) for row in rows]

    async def judged(self) -> list[DeadLetterId]:
        """All that wait, but for where a consumer stands before what it cannot read: to drop one of
        those means to go on without it, so it has to be meant."""
        unread = set(await self.ids(Status.WAITING, _UNREADABLE))
        return [id_ for id_ in await self.ids(Status.WAITING) if id_ not in unread]

    async def letters(self, ids: Sequence[DeadLetterId]) -> list[StoredDeadLetter]:
        """Whole ones, in that order. Raises UnknownDeadLetterError."""
        rows = await self._select(StoredDeadLetter.COLUMNS, _BY_ID, _values(ids))
        found = {letter.id: letter for letter in map(StoredDeadLetter.from_row, rows)}
        return [found[id_] for id_ in _known(ids, found)]

    async def whole(self, ids: Sequence[DeadLetterId]) -> AsyncIterator[StoredDeadLetter]:
        """As `letters`, but never many in memory at once."""
        for chunk in _chunks(ids):
            for letter in await self.letters(chunk):
                yield letter

    async def plan_replay(self, ids: Sequence[DeadLetterId], *, force: bool = False) -> Outcome:
        """What `replay` would do. Raises UnknownDeadLetterError."""
        outcome = await self.plan_drop(ids, force=force)
        outcome.failed += [(id_, _FROM_A_SPOOL) for id_ in outcome.done if not id_.has_topic]
        unread = set(await self.ids(Status.WAITING, _UNREADABLE))
        outcome.failed += [(id_, _NEVER_READ) for id_ in outcome.done if id_ in unread]
        outcome.done = [id_ for id_ in outcome.done if id_.has_topic and id_ not in unread]
        return outcome

    async def plan_drop(self, ids: Sequence[DeadLetterId], *, force: bool = False) -> Outcome:
        """What `drop` would do: the waiting ones (`force`: all). Raises UnknownDeadLetterError."""
        outcome = Outcome()
        for chunk in _chunks(ids):
            rows = await self._select(Summary.COLUMNS, _BY_ID, _values(chunk))
            found = {summary.id: summary.status for summary in map(Summary.from_row, rows)}
            for id_ in _known(chunk, found):
                if force or found[id_] is Status.WAITING:
                    outcome.done.append(id_)
                else:
                    outcome.passed_over.append((id_, found[id_]))
        return outcome

    async def replay(
        self, ids: Sequence[DeadLetterId], producer: AIOKafkaProducer, *, force: bool = False
    ) -> Outcome:
        """Send the waiting ones (`force`: all) as they were to where they were.

        `producer`: with acks="all". Sent, then marked: after a crash in between, a letter is sent
        once more, and is one row all the same, because of its event's id. UnknownDeadLetterError.
        """
        outcome = await self.plan_replay(ids, force=force)
        todo, outcome.done = outcome.done, []
        for chunk in _chunks(todo):
            letters = await self.letters(chunk)
            answers = await _send(letters, producer)
            sent = [one.id for one, error in zip(letters, answers, strict=True) if not error]
            await self._mark(sent, Status.REPLAYED)
            outcome.done += sent
            for letter, error in zip(letters, answers, strict=True):
                if isinstance(error, MessageSizeTooLargeError):
                    why = f"too large for {letter.id.kafka_topic}; raise its max.message.bytes"
                    outcome.failed.append((letter.id, why))
                elif error:
                    raise error
        return outcome

    async def drop(self, ids: Sequence[DeadLetterId]) -> Outcome:
        """Mark the waiting ones as done with; nothing is deleted. Raises UnknownDeadLetterError."""
        outcome = await self.plan_drop(ids)
        for chunk in _chunks(outcome.done):
            await self._mark(chunk, Status.DROPPED)
        return outcome

    async def _mark(self, ids: Sequence[DeadLetterId], status: Status) -> None:
        """A later version of the row: the engine copies the bytes, nobody else has to."""
        if ids:
            await self._client.command(
                f"INSERT INTO dead_letters ({_KEPT}, status)"  # noqa: S608 - placeholders
                f" SELECT {_KEPT}, {{s:String}} FROM dead_letters FINAL WHERE {_BY_ID}",
                _values(ids) | {"s": status.value},
                settings={"async_insert": 0},
            )

    async def _select(
        self, columns: str, where: str, values: dict[str, Any]
    ) -> Sequence[Sequence[Any]]:
        sql = f"SELECT {columns} FROM dead_letters FINAL WHERE {where}"  # noqa: S608 - placeholders
        # Texts as bytes, because a message's may be no UTF-8.
        result = await self._client.query(sql, values, query_formats={"String": "bytes"})
        return result.result_rows


async def _send(
    letters: Sequence[StoredDeadLetter], producer: AIOKafkaProducer
) -> list[BaseException | None]:
    """In their order; the error of each that Kafka has not acknowledged."""
    sending = [asyncio.ensure_future(_send_one(letter, producer)) for letter in letters]
    answers = await asyncio.gather(*sending, return_exceptions=True)
    return [answer if isinstance(answer, BaseException) else None for answer in answers]


async def _send_one(letter: StoredDeadLetter, producer: AIOKafkaProducer) -> None:
    # To its own partition, because its duplicates are looked for in there.
    await send_as_is(
        producer,
        letter.id.kafka_topic,
        key=letter.key,
        value=letter.value,
        headers=letter.headers,
        partition=letter.id.partition,
    )


def _where(status: Status | None, reason: str | None) -> tuple[str, dict[str, Any]]:
    given = {"status": status.value if status else None, "reason": reason}
    values = {name: value for name, value in given.items() if value is not None}
    return " AND ".join(["true", *(f"{name} = {{{name}:String}}" for name in values)]), values


def _values(ids: Sequence[DeadLetterId]) -> dict[str, Any]:
    return {
        "t": [id_.topic for id_ in ids],
        "p": [id_.partition for id_ in ids],
        "o": [id_.offset for id_ in ids],
    }


def _known(ids: Sequence[DeadLetterId], found: dict[DeadLetterId, Any]) -> Sequence[DeadLetterId]:
    for id_ in ids:
        if id_ not in found:
            raise UnknownDeadLetterError(f"there is no dead letter {id_}")
    return ids


def _chunks(ids: Sequence[DeadLetterId]) -> Iterator[list[DeadLetterId]]:
    each = list(dict.fromkeys(ids))
    for first in range(0, len(each), _CHUNK):
        yield each[first : first + _CHUNK]
