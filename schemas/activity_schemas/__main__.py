"""`python -m activity_schemas` prints the JSON Schema that any service may produce to."""

import json
import sys
from typing import Any

from activity_schemas.event import ActivityEvent


def json_schema() -> dict[str, Any]:
    """The event's JSON Schema, as a producer must fill it (draft 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **ActivityEvent.model_json_schema(mode="validation"),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
