"""Whether a broker answers clients."""

from aiokafka.conn import create_conn
from aiokafka.errors import KafkaError
from aiokafka.protocol.metadata import MetadataRequest

_PATIENCE_MS = 2000


async def answers(host: str, port: int, cluster_id: str, node_id: int) -> bool:
    """The broker's own metadata list it: it is registered and not fenced.

    An open port says less: Kafka listens before it has joined the cluster, and the one who listens
    may be another Kafka.
    """
    try:
        connection = await create_conn(host, port, request_timeout_ms=_PATIENCE_MS)
    except (OSError, KafkaError, TimeoutError):
        return False
    try:
        metadata = await connection.send(MetadataRequest([]))
    except (OSError, KafkaError, TimeoutError):
        return False
    finally:
        connection.close()
    return metadata.cluster_id == cluster_id and any(
        broker[0] == node_id for broker in metadata.brokers
    )
