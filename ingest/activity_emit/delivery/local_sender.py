"""Without a broker: the consumer on the same machine is handed the spool itself."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.delivery.outbox import Batch
from activity_kafka.settings import KafkaSettings
from activity_spool.progress import DIRECTORY, EVENTS_PER_ROW, settled_position

_POLL_S = 0.2


class NotSpooled(OSError):
    """Events that no disk holds: the consumer cannot see them."""


class HandOver:
    """A sender that sends nothing: it waits until the consumer has settled what is spooled."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._name = name

    async def send(self, batches: Sequence[Batch]) -> None:
        """Returns when all of them are in the table. Raises NotSpooled, and waits for ever where
        no consumer runs: the spool's cap bounds what waits with it."""
        rows = [batch.row for batch in batches]
        if None in rows:
            raise NotSpooled("the spool cannot be written, and there is no broker")
        last = max(row.number * EVENTS_PER_ROW + row.events for row in rows if row)
        while settled_position(self._directory, self._name) < last:  # noqa: ASYNC110 - another's
            await asyncio.sleep(_POLL_S)

    async def close(self, *, wait: bool = True) -> None:
        """Nothing is open."""


def folder(transport: str, kafka: KafkaSettings) -> str:
    """Of a spool, below the directory for all of them. A worker adopts the spools of those that
    publish to the same topic, and no others."""
    if transport == "spool":
        return DIRECTORY
    text = f"{kafka.bootstrap_servers}/{kafka.topic}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sender(
    transport: str,
    kafka: KafkaSettings,
    client_options: Mapping[str, Any],
    directory: Path,
    name: str,
    *,
    kafka_sender: type[KafkaSender] = KafkaSender,
) -> KafkaSender | HandOver:
    """What brings the spool `name` of `directory` to the consumer."""
    if transport == "spool":
        return HandOver(directory, name)
    return kafka_sender(kafka, client_options)
