"""`python -m activity_schemas` prints the JSON Schema that any service may produce to."""

import json
import sys
from typing import Any

from activity_schemas.event import ActivityEvent

_DESCRIPTION = """\
One request. Times are UTC, durations milliseconds. The consumer accepts exactly the events that \
this schema accepts, but for what a schema cannot say. Refused as well are: \
bytes that are not JSON in UTF-8, or that begin with a byte order mark (NaN and Infinity are not \
JSON); \
a name that stands twice in one object, at any depth; \
a string with a lone surrogate (\\ud800 to \\udfff without its other half), also in a name; \
more than 200 levels of arrays and objects; \
a number of more than 4,300 digits, and in `metadata` one beyond a double's range (1e400); \
a time further ahead of the consumer's clock than its limit (24 hours by default); \
a message larger than the topic takes.\
"""


def json_schema() -> dict[str, Any]:
    """The event's JSON Schema, as a producer must fill it (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ActivityEvent.model_json_schema(mode="validation"),
        "description": _DESCRIPTION,
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
