"""Events that nobody would think of, by hypothesis."""

import functools
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from activity_schemas.event import Action, ActivityEvent
from activity_schemas.uuid7 import uuid7

_BIGGEST = 2**53 - 1

text = st.text(st.characters(exclude_categories=["Cs"]))
ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256)
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=128)
counts = st.integers(0, _BIGGEST)
stages = st.integers(0, 65535)
uuids7 = st.builds(uuid7, st.integers(0, 2**48 - 1), st.binary(min_size=10, max_size=10))
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_FIRST, _LAST = (datetime(year, 1, 2) for year in (2000, 2199))  # noqa: DTZ001 - so are they wanted
times = st.datetimes(_FIRST, _LAST, timezones=offsets)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


def _fields() -> dict[str, st.SearchStrategy[Any]]:
    optional_ids = ("workspace_id", "user_id", "app_id", "endpoint_id", "principal_id", "token_id")
    optional_words = ("trace_id", "principal_type", "token_type", "resource_type", "error_code")
    return {
        "id": uuids7,
        "timestamp": times,
        "org_id": ids,
        **{name: st.none() | ids for name in optional_ids},
        **{name: st.none() | words for name in optional_words},
        "resource_id": st.none() | ids,
        "execution_id": st.none() | ids,
        "augmentation_id": st.none() | ids,
        "method": words,
        "path": st.text(st.characters(exclude_categories=["Cs"]), max_size=300),
        "action": st.sampled_from(Action),
        "status_code": st.integers(100, 599),
        "duration_ms": st.floats(0, 1e11),
        "stages_completed": st.none() | stages,
        "total_stages": st.none() | stages,
        "token_usage": st.dictionaries(words, counts, max_size=3),
        "metadata": st.dictionaries(text, json_values, max_size=3),
        "producer_id": ids,
        "seq": counts,
    }


#: Any event that the model takes; every field of it is drawn.
any_event = st.fixed_dictionaries(_fields()).map(lambda fields: ActivityEvent(**fields))


@functools.cache
def generated(count: int) -> list[ActivityEvent]:
    """The same ones each time, with ids of their own: for a test that writes them all at once."""
    found: dict[UUID, ActivityEvent] = {}

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(any_event)
    def collect(event: ActivityEvent) -> None:
        found[event.id] = event

    collect()
    return list(found.values())
