"""How a dead letter gets into its topic: of the consumer, and of who replays it."""

from collections.abc import Mapping
from typing import Any

from aiokafka import AIOKafkaProducer

#: A dead letter is a message of the largest size, and why it is one: of the topic and the producer.
MAX_DEAD_LETTER_BYTES = 16 << 20


def dead_letter_producer(
    client_id: str, connection: Mapping[str, Any], **options: Any
) -> AIOKafkaProducer:
    """Not started yet. `connection`: `bootstrap_servers` and the security arguments of aiokafka.

    Not idempotent: aiokafka numbers also what the broker refuses (too large, no right to write),
    and then it refuses all that comes after it. A letter may be in the topic twice anyway.
    """
    return AIOKafkaProducer(
        client_id=client_id,
        acks="all",
        max_request_size=MAX_DEAD_LETTER_BYTES,
        **connection,
        **options,
    )
