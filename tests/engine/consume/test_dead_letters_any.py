"""Any record as a dead letter, into the real table and back."""

from itertools import count

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from hypothesis import given, settings
from hypothesis import strategies as st

from activity_consume.dead_letter.model import DeadLetter, DeadLetterId, as_time
from activity_consume.dead_letter.poison_stops import PoisonRun, PoisonStop, PoisonStops
from activity_consume.dead_letter.repository import DeadLetterRepository
from activity_consume.dead_letter.writer import DeadLetterWriter
from activity_consume.errors import NoSuchStopError
from activity_consume.record import TopicPartition
from activity_consume.validation.validate import Reason
from tests.support.records import Message, any_around

_offsets = count(0, 1000)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.none() | st.binary(max_size=30), any_around), min_size=1, max_size=20))
async def test_any_record_comes_back(
    clickhouse: AsyncClient, records: list[tuple[bytes | None, Message]]
) -> None:
    partition, first = TopicPartition("events", 1), next(_offsets)
    sent = [
        Message(first + n, value, one.key, one.headers, one.timestamp)
        for n, (value, one) in enumerate(records)
    ]
    letters = [DeadLetter(partition, one, Reason.INVALID_EVENT, "d\u00e9tail") for one in sent]
    await DeadLetterWriter(None, "", clickhouse).write(letters)
    box = DeadLetterRepository(clickhouse)
    found = await box.letters([DeadLetterId("events", 1, one.offset) for one in sent])
    for letter, record in zip(found, sent, strict=True):
        assert (letter.key, letter.value, letter.headers) == (
            record.key,
            record.value,
            record.headers,
        )
        assert letter.timestamp == as_time(record.timestamp)
    assert len(await box.summaries(limit=10_000)) >= len(sent)


async def test_a_stop_is_remembered_and_accepted(clickhouse: AsyncClient) -> None:
    stops, partition = PoisonStops(clickhouse), TopicPartition("events", 3)
    run = PoisonRun(partition, 2**63 - 9, 2**63 - 3, 7, "malformed_json: \u00fc")
    assert await stops.find(partition) is None
    await stops.write(PoisonStop(run))
    assert await stops.find(partition) == PoisonStop(run)
    assert await stops.find(TopicPartition("events", 2)) is None
    for offset in (run.last_offset - 1, 0):
        with pytest.raises(NoSuchStopError, match=f"accept events/3/{run.last_offset}, or a later"):
            await stops.accept(partition, offset)
    for offset in (run.last_offset, run.last_offset + 1, run.last_offset):
        assert await stops.accept(partition, offset) == run
    found = await stops.find(partition)
    assert (found and found.accepted_offset) == run.last_offset + 1, "never less than before"
    later = PoisonRun(partition, 2**63 - 2, 2**63 - 1, 2, "x")
    await stops.write(PoisonStop(later))
    assert await stops.find(partition) == PoisonStop(later)
