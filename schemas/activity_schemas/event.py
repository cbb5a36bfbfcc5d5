"""The activity event: one request to a service, as it travels on Kafka.

Topic `activity.events.v1`, key = `org_id` (UTF-8), value = this model as JSON.

Compatibility, by rule:
- A field this version does not know is ignored; facts of a service's own belong in `metadata`.
- A new optional field does not raise `schema_version`. What an old reader would misread does:
  a newer `schema_version` goes to the dead letters whole and is replayed after the upgrade.

The JSON Schema and this model accept the same (tests/unit/schemas/test_schemas_agree.py).
"""

from datetime import UTC
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    computed_field,
    field_serializer,
)

from activity_schemas.forms import Timestamp, Uuid7, finite, whole

SCHEMA_VERSION = 1
TOPIC = "activity.events.v1"
DEAD_LETTER_TOPIC = "activity.events.v1.dlq"

#: Every JSON library reads an integer up to here exactly (RFC 7493), also where it makes it a
#: double.
MAX_COUNT = 2**53 - 1
#: So many names of MAX_COUNT each are less than 2^63: an event's own sum fits the table's type.
MAX_TOKEN_NAMES = 1000
#: Three years. A double of milliseconds up to here, in whole nanoseconds, is an integer of 64 bits.
MAX_DURATION_MS = 1e11


class Action(StrEnum):
    """What was done. The contract's six words."""

    CREATE = "create"
    READ = "read"
    UPDATE = "update"
    DELETE = "delete"
    EXECUTE = "execute"
    TRIGGER = "trigger"


Id = Annotated[str, Field(min_length=1, max_length=256)]
Word = Annotated[str, Field(min_length=1, max_length=128)]
# To JSON Schema 200.0 is an integer, and no pattern can say otherwise.
Count = Annotated[int, Field(ge=0, le=MAX_COUNT), BeforeValidator(whole)]
Stage = Annotated[int, Field(ge=0, le=65535), BeforeValidator(whole)]


class ActivityEvent(BaseModel):
    """One request. Immutable; times UTC, microseconds; durations in milliseconds."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, allow_inf_nan=False)

    schema_version: Annotated[Literal[1], BeforeValidator(whole)] = Field(
        default=1, description="The form of the event; 1", examples=[1]
    )
    id: Uuid7 = Field(
        description="UUIDv7, minted once at the source; the same id twice is the same event",
        examples=["01990f5c-7b1a-7c3e-9a52-3f0f5d0c1a77"],
    )
    timestamp: Timestamp = Field(
        description="Start of the request, RFC 3339 with an offset, years 2000 to 2199; of the"
        " fraction, microseconds are kept",
        examples=["2026-03-04T05:06:07.123456Z"],
    )
    org_id: Id = Field(description="The organisation whose event it is", examples=["acme"])
    workspace_id: Id | None = Field(
        default=None, description="The workspace in it", examples=["search"]
    )
    user_id: Id | None = Field(default=None, description="The person who acted", examples=["ann"])
    app_id: Id | None = Field(default=None, description="The app that was used", examples=["bot"])
    endpoint_id: Id | None = Field(
        default=None, description="The app's endpoint that was used", examples=["answer"]
    )
    trace_id: Word | None = Field(
        default=None,
        description="W3C trace id, 32 hex digits",
        examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
    )
    principal_type: Word | None = Field(
        default=None, description="user, service, token, ...", examples=["user"]
    )
    principal_id: Id | None = Field(
        default=None,
        description="Who was logged in: a person, or a service for itself",
        examples=["ann"],
    )
    token_id: Id | None = Field(
        default=None, description="The token or key that was shown", examples=["tok-17"]
    )
    token_type: Word | None = Field(
        default=None, description="What kind of token: session, api_key, ...", examples=["session"]
    )
    method: Word = Field(description="The HTTP method", examples=["POST"])
    path: Annotated[str, Field(max_length=4096)] = Field(
        description="Without the query string", examples=["/v1/workspaces/search/apps/bot"]
    )
    resource_type: Word | None = Field(
        default=None, description="What kind of thing was acted on", examples=["endpoint"]
    )
    resource_id: Id | None = Field(
        default=None, description="The thing that was acted on", examples=["answer"]
    )
    action: Action = Field(
        description="What was done: create, read, update, delete, execute, trigger",
        examples=["execute"],
    )
    status_code: Annotated[int, Field(ge=100, le=599), BeforeValidator(whole)] = Field(
        description="The HTTP status of the answer", examples=[200]
    )
    error_code: Word | None = Field(
        default=None, description="The service's own word for the error", examples=["RATE_LIMITED"]
    )
    duration_ms: Annotated[float, Field(ge=0, le=MAX_DURATION_MS)] = Field(
        description="To the last byte, milliseconds", examples=[12.5]
    )
    execution_id: Id | None = Field(
        default=None, description="The run that it began or belongs to", examples=["x-1"]
    )
    augmentation_id: Id | None = Field(
        default=None, description="The augmentation that was run", examples=["tag"]
    )
    stages_completed: Stage | None = Field(
        default=None, description="How many stages of the run were completed", examples=[3]
    )
    total_stages: Stage | None = Field(
        default=None, description="How many stages the run has", examples=[3]
    )
    token_usage: dict[Word, Count] = Field(
        default_factory=dict,
        max_length=MAX_TOKEN_NAMES,
        description="Name to count; `total` is the sum where present, else all are added up",
        examples=[{"prompt": 12, "completion": 30}],
    )
    metadata: Annotated[dict[str, JsonValue], AfterValidator(finite)] = Field(
        default_factory=dict,
        description="The service's own facts; they come back byte for byte",
        examples=[{"model": "gpt-4o", "region": "eu-1"}],
    )
    producer_id: Id = Field(
        description="The emitting process; unique per start", examples=["api-7f9c-1"]
    )
    seq: Count = Field(
        description="Rises by one per event of a producer: a gap is a proof of loss", examples=[42]
    )

    @computed_field  # type: ignore[prop-decorator]
    @property
    def success(self) -> bool:
        """Status below 400. Written for readers of the topic; ignored on the way in."""
        return self.status_code < 400

    @field_serializer("timestamp", when_used="json")
    def _microseconds(self, value: Timestamp) -> str:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def to_json(self) -> bytes:
        """The message value: UTF-8 JSON without the fields that are absent."""
        return self.model_dump_json(exclude_none=True).encode()

    def key(self) -> bytes:
        """The message key: all events of an org share a partition."""
        return self.org_id.encode()
