"""Records to Kafka: idempotent, acknowledged by all in-sync replicas, in batches per partition."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from activity_emit.delivery.outbox import Batch
from activity_emit.errors import NotConnectedError
from activity_emit.event.cache import BytesCache
from activity_emit.event.encode import ProducerRecord
from activity_emit.event.trace import traceparent
from activity_emit.reasons import reason
from activity_kafka.headers import RESENT_HEADER, TRACEPARENT_HEADER
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings

# aiokafka is imported with the first connection: where it cannot be the events wait in the spool,
# and a service whose forwarder sends for it does not need it.
if TYPE_CHECKING:
    from aiokafka import AIOKafkaProducer

log = logging.getLogger("activity.emit")

_RESENT = [(RESENT_HEADER, b"1")]
_BATCH_BYTES = 262_144
_STOP_S = 2.0  # then its connections are left to the end of the loop


_hashes: BytesCache[bytes, int] = BytesCache(8 << 20)


def _hash(key: bytes) -> int:
    # Kafka's own hash, in pure Python: 10 µs for an org id, so every org pays once.
    found = _hashes.get(key)
    if found is None:
        from aiokafka.partitioner import murmur2  # noqa: PLC0415

        found = _hashes.put(key, int(murmur2(key)) & 0x7FFFFFFF, len(key))
    return found


class KafkaSender:
    """One idempotent producer. Lives in one event loop; connects by itself at the first `send`.

    `security` is asked for each connection: a secret may be mounted later than we start.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        security: Callable[[], KafkaSecuritySettings],
        client_options: Mapping[str, Any],
        *,
        traceparent: bool = False,
    ) -> None:
        """`traceparent`: each message of a request with a trace has W3C's header of that name."""
        self._traceparent = traceparent
        self._settings = settings
        self._security = security
        self._options = client_options
        self._producer: AIOKafkaProducer | None = None

    async def send(self, batches: Sequence[Batch]) -> None:
        """Return when every record is acknowledged.

        A broker that is away after the producer has started is waited for, without end and
        without duplicates (the producer's own sequence numbers see to that).
        Raises NotConnectedError, or KafkaError or OSError if anything failed on the way: then any
        of the records may or may not have arrived. The next `send` makes a new producer.
        """
        try:
            producer = await self._connected()
            partitions = sorted(await producer.partitions_for(self._settings.topic))
            by_partition: dict[int, list[tuple[ProducerRecord, bool]]] = defaultdict(list)
            for batch in batches:
                for record in batch.records:
                    number = partitions[_hash(record.key) % len(partitions)]
                    by_partition[number].append((record, batch.resent))
            await asyncio.gather(
                *(self._send_to(producer, number, some) for number, some in by_partition.items())
            )
        except BaseException:
            await self.close(wait=False)
            raise

    async def _send_to(
        self,
        producer: "AIOKafkaProducer",
        partition: int,
        records: list[tuple[ProducerRecord, bool]],
    ) -> None:
        topic = self._settings.topic
        batch = producer.create_batch()
        for record, resent in records:
            headers = _RESENT if resent else []
            if self._traceparent and (found := traceparent(record.value)):
                headers = [*headers, (TRACEPARENT_HEADER, found)]
            fields = {"timestamp": None, "key": record.key, "value": record.value}
            if batch.append(**fields, headers=headers) is None:  # full
                await (await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                batch.append(**fields, headers=headers)
        batch.close()
        await (await producer.send_batch(batch, topic, partition=partition))

    async def _connected(self) -> "AIOKafkaProducer":
        if self._producer is None:
            from aiokafka import AIOKafkaProducer  # noqa: PLC0415
            from aiokafka.errors import KafkaError  # noqa: PLC0415

            try:
                security = self._security().client_options()
            except (OSError, ValueError) as error:  # a file that is not there (yet)
                raise NotConnectedError(reason(error)) from None
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.servers,
                enable_idempotence=True,
                acks="all",
                max_batch_size=_BATCH_BYTES,
                retry_backoff_ms=500,
                **{**security, **self._options},
            )
            try:
                await producer.start()
            except BaseException as error:
                await _stop(producer)
                if isinstance(error, (KafkaError, OSError)):
                    raise NotConnectedError(str(error)) from None
                raise
            self._producer = producer
        return self._producer

    async def close(self, *, wait: bool = True) -> None:
        """Close the connections; with `wait`, after what is on the way has arrived."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await _stop(producer, wait=wait)


async def _stop(producer: "AIOKafkaProducer", *, wait: bool = True) -> None:
    from aiokafka.errors import KafkaError  # noqa: PLC0415

    try:
        async with asyncio.timeout(_STOP_S):
            if not wait:
                # Without its sender task the producer does not wait for what cannot arrive.
                await producer._sender.close()
            await producer.stop()
    except (KafkaError, OSError, TimeoutError):
        log.debug("closing the Kafka producer failed", exc_info=True)
