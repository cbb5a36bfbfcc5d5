"""Takes `activity_schemas` into the wheel: it is the neighbour folder's, and both sides need it."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class SchemasHook(BuildHookInterface):  # type: ignore[type-arg]
    """An editable install finds the package by `dev-mode-dirs`, where it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            schemas = Path(self.root).parent / "schemas" / "activity_schemas"
            build_data["force_include"][str(schemas)] = "activity_schemas"
