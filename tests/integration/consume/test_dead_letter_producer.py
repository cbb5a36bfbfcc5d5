"""The producer of dead letters: what was refused once does not hold up what comes after it."""

import pytest
from aiokafka.errors import MessageSizeTooLargeError

from activity_consume.dead_letter.produce import send_as_is
from activity_deploy.kafka.topics import Topic, create
from activity_kafka.dead_letters import dead_letter_producer
from tests.support.consumer import messages


async def test_a_refused_letter_holds_up_no_other(kafka_bootstrap: str, topic: str) -> None:
    name = f"{topic}.small"
    await create(kafka_bootstrap, [Topic(name, 1, {"max.message.bytes": "2000"})])
    connection = {"bootstrap_servers": kafka_bootstrap}
    async with dead_letter_producer("test", connection) as producer:
        await send_as_is(producer, name, key=b"k", value=b"first", headers=[])
        for _ in range(2):
            with pytest.raises(MessageSizeTooLargeError):
                await send_as_is(producer, name, key=b"k", value=b"x" * 5000, headers=[])
        await send_as_is(producer, name, key=b"k", value=b"second", headers=[])
        await send_as_is(producer, name, key=None, value=None, headers=[])
    found = await messages(kafka_bootstrap, name, 3)
    assert [one.value for one in found] == [b"first", b"second", None]
