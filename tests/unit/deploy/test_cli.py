"""The command `activity`: everything a person does, and help that only helps."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from activity_deploy.cli import app

COMMAND = typer.main.get_command(app)
# What README and docs name; a new command is added here and there.
EXPECTED = {
    "asyncapi",
    "clickhouse-password",
    "consume",
    "demo",
    "dlq",
    "doctor",
    "engine",
    "erase",
    "erasures",
    "export",
    "forward",
    "generate",
    "hold",
    "keys",
    "migrate",
    "openapi",
    "report",
    "retention",
    "run",
    "serve",
    "settings",
    "sql",
    "token",
    "topic",
}


def invoke(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, with an engine and a broker that nobody answers for."""
    environment = {
        "ACTIVITY_CLICKHOUSE_URL": "http://127.0.0.1:9",
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    }
    return subprocess.run(
        [sys.executable, "-m", "activity_deploy.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment,
    )


def names(path: tuple[str, ...] = ()) -> set[str]:
    command: object = COMMAND
    for part in path:
        command = command.commands[part]  # type: ignore[attr-defined]
    return set(getattr(command, "commands", {}))


def test_it_lists_everything_a_person_does() -> None:
    assert names() == EXPECTED
    listed = CliRunner().invoke(app, ["--help"]).output
    assert all(name in listed for name in EXPECTED)


@pytest.mark.parametrize(
    "arguments",
    [(name,) for name in sorted(EXPECTED)]
    + [(group, name) for group in ("dlq", "keys") for name in names((group,))],
)
def test_help_does_nothing_else(arguments: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--help"])
    assert result.exit_code == 0
    assert result.output.lstrip().startswith("Usage:")


@pytest.mark.parametrize(
    "module", ["activity_deploy.migrate", "activity_deploy.run", "activity_consume", "activity_api"]
)
def test_so_does_the_help_of_a_module(module: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", module, "--help"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("usage:")
    assert list(tmp_path.iterdir()) == []


def test_its_version_is_the_distributions(tmp_path: Path) -> None:
    result = invoke(tmp_path, "--version")
    assert result.stdout == f"activity {importlib.metadata.version('activity-pipeline')}\n"


def test_a_wrong_setting_is_one_line(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "activity_deploy.cli", "consume"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"ACTIVITY_CONSUMER_PORT": "seventy"},
    )
    assert result.returncode == 2
    assert "port" in result.stderr.lower()
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_an_engine_away_is_one_line(tmp_path: Path) -> None:
    result = invoke(tmp_path, "generate", "--rows", "10")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("activity: ")
