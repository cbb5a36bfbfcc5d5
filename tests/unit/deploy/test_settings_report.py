"""`activity settings`: all variables of all parts, with their meaning, and no secret."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic_settings import BaseSettings

import activity_api
import activity_consume
import activity_deploy
import activity_emit
import activity_kafka
import activity_spool
from activity_deploy.settings import PARTS, to_markdown, variable_of

DOCS = Path(__file__).parents[3] / "docs" / "settings.md"
MODELS = [model for models in PARTS.values() for model in models]
VARIABLES = {variable_of(model, name) for model in MODELS for name in model.model_fields}
PASSWORD = "correct-horse-battery-staple-0123456789"
#: Of each kind: a value of its own, a URL's user, a URL's query, and a URL that is none.
SECRETS = {
    "ACTIVITY_JWT_KEY": PASSWORD,
    "ACTIVITY_CURSOR_KEY": PASSWORD,
    "ACTIVITY_KAFKA_SASL_PASSWORD": PASSWORD,
    "ACTIVITY_CLICKHOUSE_URL": f"http://ann:{PASSWORD}@127.0.0.1:8123",
}


def show(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command as a person has it: no part of the pipeline runs."""
    return subprocess.run(
        [sys.executable, "-m", "activity_deploy.cli", "settings", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env={"HOME": os.environ.get("HOME", "/"), **environment},
    )


def test_every_settings_class_is_in_it() -> None:
    packages = (
        *(activity_api, activity_consume, activity_deploy),
        *(activity_emit, activity_kafka, activity_spool),
    )
    for package in packages:
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith(".settings"):
                importlib.import_module(found.name)
    assert _ours(BaseSettings) == set(MODELS)


def _ours(base: type[BaseSettings]) -> set[type[BaseSettings]]:
    """The classes of ours at the ends of the branches."""
    found: set[type[BaseSettings]] = set()
    for one in base.__subclasses__():
        if one.__module__.startswith("activity_"):
            found |= _ours(one) or {one}
    return found


@pytest.mark.parametrize("model", MODELS)
def test_every_field_has_a_meaning(model: type[BaseSettings]) -> None:
    assert [name for name, field in model.model_fields.items() if not field.description] == []


def test_every_variable_shows_up(tmp_path: Path) -> None:
    result = show(tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert set(re.findall(r"^  (ACTIVITY_\w+)=", result.stdout, re.MULTILINE)) == VARIABLES
    listed = json.loads(show(tmp_path, "--json").stdout)
    assert {one["variable"] for one in listed} == VARIABLES
    assert list(tmp_path.iterdir()) == []


def test_value_and_source_are_those_of_now(tmp_path: Path) -> None:
    listed = json.loads(show(tmp_path, "--json", ACTIVITY_EMIT_QUEUE_SIZE="7").stdout)
    found = {one["variable"]: (one["value"], one["source"]) for one in listed}
    assert found["ACTIVITY_EMIT_QUEUE_SIZE"] == (7, "set")
    assert found["ACTIVITY_EMIT_WORKER"] == ("process", "default")


def test_what_the_local_stack_has_noted_is_named_so(tmp_path: Path) -> None:
    (tmp_path / ".state").mkdir()
    (tmp_path / ".state" / "VERSION").touch()
    notes = {"ACTIVITY_CLICKHOUSE_URL": "http://127.0.0.1:7123"}
    (tmp_path / ".state" / "addresses.json").write_text(json.dumps(notes))
    listed = json.loads(show(tmp_path, "--json").stdout)
    [value] = {
        (one["value"], one["source"])
        for one in listed
        if one["variable"] == "ACTIVITY_CLICKHOUSE_URL"
    }
    assert value == ("http://127.0.0.1:7123", "local stack")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"ACTIVITY_CLICKHOUSE_URL": f"ann:{PASSWORD}@nowhere"},
        {"ACTIVITY_CLICKHOUSE_URL": f"http://127.0.0.1:8123/?password={PASSWORD}"},
        {"ACTIVITY_JWT_JWKS_URL": f"https://ann:p@{PASSWORD}@keys.example/"},
        {"ACTIVITY_JWT_ALGORITHMS": "none"},
    ],
)
def test_no_secret_is_printed(tmp_path: Path, more: dict[str, str]) -> None:
    result = show(tmp_path, **(SECRETS | more))
    assert PASSWORD not in result.stdout + result.stderr
    assert "***" in result.stdout


def test_nor_in_json(tmp_path: Path) -> None:
    result = show(tmp_path, "--json", **SECRETS)
    assert PASSWORD not in result.stdout + result.stderr
    assert "***" in result.stdout


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("ACTIVITY_API_PORT", "seven", "valid integer"),
        ("ACTIVITY_KAFKA_SECURITY_PROTOCOL", "TLS", "Input should be"),
        ("ACTIVITY_EMIT_QUERY_ALLOW", "not json", "JSON"),
        ("ACTIVITY_CLICKHOUSE_URL", "localhost", "must be like"),
        ("ACTIVITY_JWT_KEY", "short", "at least 32 bytes"),
        ("activity_spool_max_bytes", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_shown_with_its_error(
    tmp_path: Path, variable: str, value: str, words: str
) -> None:
    result = show(tmp_path, **{variable: value})
    assert result.returncode == 2
    assert result.stderr == f"activity: wrong: {variable.upper()}\n"
    wrong = [line for line in result.stdout.splitlines() if "WRONG" in line]
    assert wrong
    assert all(words in line for line in wrong)


def test_another_command_names_the_variable_too(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "activity_deploy.cli", "topic", "show"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={"ACTIVITY_KAFKA_SECURITY_PROTOCOL": "TLS", "ACTIVITY_CLICKHOUSE_PORT": "8123"},
    )
    assert result.returncode == 2
    assert result.stderr.startswith("activity: ACTIVITY_KAFKA_SECURITY_PROTOCOL: ")


def test_the_docs_say_what_the_classes_say() -> None:
    """`make schemas` writes the page."""
    assert DOCS.read_text(encoding="utf-8") == to_markdown()
