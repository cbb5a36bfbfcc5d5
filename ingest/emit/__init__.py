"""Emit activity events: one import, three lines. Needs pydantic and aiokafka, nothing else.

from ingest.emit import ActivityMiddleware, activity

app.add_middleware(ActivityMiddleware)
...
activity.set(execution_id=execution.id, token_usage={"total": 421})  # in a handler
"""

from ingest.emit.context import ActivityContext, activity
from ingest.emit.counts import Counts, prometheus
from ingest.emit.kafka import RESENT_HEADER
from ingest.emit.middleware import ActivityMiddleware
from ingest.emit.principal import Principal, from_scope
from ingest.emit.protocol import Publisher
from ingest.emit.publisher import KafkaPublisher
from ingest.emit.rules import DEFAULT_RULES, Rule
from ingest.emit.settings import EmitSettings, SpoolSettings
from ingest.emit.wsgi import ActivityWSGIMiddleware
from ingest.settings import KafkaSettings
from schemas.event import ActivityEvent

__all__ = [
    "DEFAULT_RULES",
    "RESENT_HEADER",
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
    "Rule",
    "SpoolSettings",
    "activity",
    "from_scope",
    "prometheus",
]
