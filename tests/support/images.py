"""The names of the images that tests run: those of deploy/compose.yaml, or of its variables."""

import os
import re
from pathlib import Path

_COMPOSE = Path(__file__).parents[2] / "deploy" / "compose.yaml"


def image(part: str) -> str:
    """Of KAFKA or CLICKHOUSE: ACTIVITY_KAFKA_IMAGE, ..., by default what compose.yaml names.

    Without Ryuk, which is one more image to be had: what a test starts it stops. Set
    TESTCONTAINERS_RYUK_DISABLED=false to have it clean up after a test run that was killed.
    """
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
    variable = f"ACTIVITY_{part}_IMAGE"
    default = re.search(rf"\$\{{{variable}:-([^}}]+)\}}", _COMPOSE.read_text(encoding="utf-8"))
    assert default, f"compose.yaml names no {variable}"
    return os.environ.get(variable) or default[1]
