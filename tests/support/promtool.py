"""Prometheus' own programs: `make tools` fetches them, `make test` does that first."""

import shutil
import subprocess
from pathlib import Path

import pytest

_TOOLS = Path(__file__).parents[2] / ".venv" / "tools"


def program(name: str) -> str:
    """The path of `promtool` or `prometheus`. Without it the test is left out, and says so."""
    found = shutil.which(name, path=str(_TOOLS)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not here and apt could not fetch it: run `make tools`")
    return found


def check_metrics(page: str) -> str:
    """What `promtool check metrics` complains of, '' for nothing."""
    done = subprocess.run(
        [program("promtool"), "check", "metrics"],
        input=page,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr if done.returncode or done.stdout or done.stderr else ""
