"""What runs in the analysts' environment, `.state/analysts`, and the lines of docs/connect.md."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.programs import ROOT, ended

PYTHON = ROOT / ".state" / "analysts" / "bin" / "python"
PAGE = ROOT / "docs" / "connect.md"
_BLOCK = re.compile(
    r"^(?:## (?P<title>.+)|```(?P<language>\w+)\n(?P<lines>(?:(?!```).*\n)+)```)$", re.M
)


@dataclass(frozen=True, slots=True)
class Lines:
    """A block of the page; `section` '' is what stands before the first."""

    section: str
    language: str
    text: str


def only_when_asked() -> None:
    """Leaves a whole module out of `make test`, which does not install these tools."""
    if os.environ.get("ACTIVITY_TEST_ANALYSTS") != "1":
        pytest.skip(
            "the tools of analysts are tried by `make test-analysts`", allow_module_level=True
        )


def blocks() -> list[Lines]:
    """Of the page, in their order."""
    found, section = [], ""
    for one in _BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if one["title"]:
            section = one["title"]
        else:
            found.append(Lines(section, one["language"], one["lines"]))
    return found


@dataclass(frozen=True, slots=True)
class Engine:
    """`state`: the directory with its password. `client`: of this process, on its tables."""

    port: int
    state: Path
    client: AsyncClient

    async def rows(self, sql: str, parameters: dict[str, Any] | None = None) -> list[list[Any]]:
        """Of an answer."""
        found = await self.client.query(sql, parameters)
        return [list(row) for row in found.result_rows]

    async def paste(self, lines: Lines) -> str:
        """What is printed, when the lines are pasted behind the page's first ones."""
        is_python = lines.language == "python"
        text = f"{PYTHON} - <<'END'\n{lines.text}\nEND\n" if is_python else lines.text
        code, output = await self.run(text)
        assert code == 0, f"{lines.section}: {output}"
        return output

    async def run(self, text: str) -> tuple[int | None, str]:
        """Exit code and all output of a shell, behind the page's first lines; it finds this engine
        where the page has the port of `make run`."""
        script = f"set -euo pipefail\n{blocks()[0].text}{text}".replace("8123", str(self.port))
        code, output, _ = await ended("bash", "-c", script, merged=True, env=self._environment())
        return code, output

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if "ACTIVITY_" not in name}
        return kept | {
            "ACTIVITY_STATE_DIR": str(self.state),
            "ACTIVITY_CLICKHOUSE_PORT": str(self.port),
            "ACTIVITY_CLICKHOUSE_URL": f"http://127.0.0.1:{self.port}",
            "DBT_TARGET_PATH": str(self.state / "dbt"),
            "DBT_LOG_PATH": str(self.state / "dbt"),
            "COLUMNS": "200",
        }
