"""What each table and column means, in words: the one place of ClickHouse's comments and of
docs/data.md. The event's fields are described where they are declared (event.py)."""

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from activity_schemas.event import ActivityEvent

_FILE = Path(__file__).with_name("columns.toml")
_TABLE, _LIKE = "_", "like"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One line each. `example`: a value as it is read."""

    text: str
    example: str = ""


def described_tables() -> list[str]:
    """The tables and views that are described here, in the page's order."""
    return list(_sections())


def of_table(table: str) -> str:
    """What a table is for. Raises KeyError: nobody has said it."""
    return str(_sections()[table][_TABLE])


def of_column(table: str, column: str) -> Meaning:
    """What a column means. Raises KeyError: nobody has said it."""
    section = _sections()[table]
    if column in section:
        return Meaning(*section[column])
    if _LIKE in section:
        return of_column(section[_LIKE], column)
    if table == "events" and (field := ActivityEvent.model_fields.get(column)):
        [example] = field.examples or [""]
        shown = example if isinstance(example, str) else json.dumps(example)
        return Meaning(field.description or "", shown)
    raise KeyError(f"{table}.{column}")


@cache
def _sections() -> dict[str, dict[str, Any]]:
    return tomllib.loads(_FILE.read_text(encoding="utf-8"))
