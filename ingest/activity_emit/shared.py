"""The publisher of everything in this process that was not given one of its own."""

import threading

from activity_emit.publisher import KafkaPublisher

_lock = threading.Lock()
_shared: list[KafkaPublisher] = []


def shared_publisher() -> KafkaPublisher:
    """Made from the environment at the first call. Raises pydantic's ValidationError for a
    setting that cannot be."""
    with _lock:
        if not _shared:
            _shared.append(KafkaPublisher())
        return _shared[0]
