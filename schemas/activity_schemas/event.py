"""The activity event: one request to a service, as it travels on Kafka.

Topic `activity.events.v1`, key = `org_id` (UTF-8), value = this model as JSON.

Compatibility, by rule:
- A field this version does not know is ignored; facts of a service's own belong in `metadata`.
- A new optional field does not raise `schema_version`. What an old reader would misread does:
  a newer `schema_version` goes to the dead letters whole and is replayed after the upgrade.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    computed_field,
    field_serializer,
)

SCHEMA_VERSION = 1
TOPIC = "activity.events.v1"
DEAD_LETTER_TOPIC = "activity.events.v1.dlq"


class Action(StrEnum):
    """What was done. The contract's six words."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    EXECUTE = "execute"
    TRIGGER = "trigger"


def _version_7(id_: UUID) -> UUID:
    if id_.version != 7:
        raise ValueError("not a UUIDv7")
    return id_


# DateTime64 reaches from 1900 to 2299; what lies outside these is a broken clock, not history.
_OLDEST, _NEWEST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)

Id = Annotated[str, Field(min_length=1, max_length=256)]
Word = Annotated[str, Field(min_length=1, max_length=128)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Stage = Annotated[int, Field(ge=0, le=65535)]


class ActivityEvent(BaseModel):
    """One request. Immutable; times UTC, microseconds; durations in milliseconds."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    schema_version: Literal[1] = 1
    id: Annotated[UUID, AfterValidator(_version_7)] = Field(
        description="UUIDv7, minted once at the source; the same id twice is the same event"
    )
    timestamp: Annotated[AwareDatetime, Field(ge=_OLDEST, lt=_NEWEST)] = Field(
        description="Start of the request, RFC 3339 with an offset"
    )
    org_id: Id
    workspace_id: Id | None = None
    user_id: Id | None = None
    app_id: Id | None = None
    endpoint_id: Id | None = None
    trace_id: Word | None = Field(default=None, description="W3C trace id, 32 hex digits")
    principal_type: Word | None = Field(default=None, description="user, service, token, ...")
    principal_id: Id | None = None
    token_id: Id | None = None
    token_type: Word | None = None
    method: Word
    path: Annotated[str, Field(max_length=4096)] = Field(description="Without the query string")
    resource_type: Word | None = None
    resource_id: Id | None = None
    action: Action
    status_code: Annotated[int, Field(ge=100, le=599)]
    error_code: Word | None = None
    duration_ms: Annotated[float, Field(ge=0)] = Field(description="To the last byte, milliseconds")
    execution_id: Id | None = None
    augmentation_id: Id | None = None
    stages_completed: Stage | None = None
    total_stages: Stage | None = None
    token_usage: dict[Word, Count] = Field(
        default_factory=dict,
        description="Name to count; `total` is the sum where present, else all are added up",
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    producer_id: Id = Field(description="The emitting process; unique per start")
    seq: Count = Field(description="Rises by one per event of a producer: a gap is a proof of loss")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def success(self) -> bool:
        """Status below 400. Written for readers of the topic; ignored on the way in."""
        return self.status_code < 400

    @field_serializer("timestamp", when_used="json")
    def _microseconds(self, value: datetime) -> str:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def to_json(self) -> bytes:
        """The message value: UTF-8 JSON without the fields that are absent."""
        return self.model_dump_json(exclude_none=True).encode()

    def key(self) -> bytes:
        """The message key: all events of an org share a partition."""
        return self.org_id.encode()
