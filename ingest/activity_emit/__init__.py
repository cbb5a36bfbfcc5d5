"""Emit activity events: one import, three lines. Needs pydantic and aiokafka, nothing else.

from activity_emit import activity, observe

observe(app)
...
activity.set(execution_id=execution.id, token_usage={"total": 421})  # in a handler
"""

from activity_emit.exposition import ActivityCollector, process_metrics, prometheus
from activity_emit.metrics import Counts, PublisherMetrics
from activity_emit.middleware.activity import activity
from activity_emit.middleware.asgi import ActivityMiddleware
from activity_emit.middleware.context import ActivityContext
from activity_emit.middleware.observe import observe
from activity_emit.middleware.principal import Principal, from_scope
from activity_emit.middleware.wsgi import ActivityWSGIMiddleware
from activity_emit.protocol import Publisher
from activity_emit.publisher import KafkaPublisher
from activity_emit.rules import DEFAULT_RULES, Rule
from activity_emit.settings import EmitSettings
from activity_emit.shared import shared_publisher
from activity_kafka.headers import RESENT_HEADER
from activity_kafka.settings import KafkaSettings
from activity_schemas.event import ActivityEvent
from activity_spool.settings import SpoolSettings

__all__ = [
    "DEFAULT_RULES",
    "RESENT_HEADER",
    "ActivityCollector",
    "ActivityContext",
    "ActivityEvent",
    "ActivityMiddleware",
    "ActivityWSGIMiddleware",
    "Counts",
    "EmitSettings",
    "KafkaPublisher",
    "KafkaSettings",
    "Principal",
    "Publisher",
    "PublisherMetrics",
    "Rule",
    "SpoolSettings",
    "activity",
    "from_scope",
    "observe",
    "process_metrics",
    "prometheus",
    "shared_publisher",
]
