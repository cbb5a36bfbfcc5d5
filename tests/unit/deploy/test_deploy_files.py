"""Dockerfiles, compose files and systemd units: what can be said of them without an engine."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from activity_deploy.settings import PARTS, variable_of

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
COMPOSE = DEPLOY / "compose.yaml"
OURS = ("topics", "migrations", "consumer", "api", "demo")
#: Of the images and of compose itself, and so of no settings class.
DEPLOYMENT = re.compile(r"ACTIVITY_(\w*IMAGE|PARTITIONS|(PROMETHEUS|GRAFANA)_(PORT|PASSWORD))")


def services(path: Path = COMPOSE) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]
    return found


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*Dockerfile")), ids=lambda path: path.name)
def test_a_dockerfile_is_as_hadolint_likes_it(path: Path) -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert linter
    done = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


@pytest.mark.parametrize("path", sorted(DEPLOY.rglob("*.sh")), ids=lambda path: path.name)
def test_a_script_is_read_by_its_shell(path: Path) -> None:
    shell = path.read_text().splitlines()[0].split("/")[-1].split()[-1]
    subprocess.run([shell, "-n", str(path)], check=True)


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_bound(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["mem_limit"]
    assert service["image"].endswith(f":{VERSION}}}")


def test_what_is_mounted_is_here() -> None:
    """Docker makes an empty folder of a path that does not exist, and says nothing."""
    mounts = [mount.split(":") for one in services().values() for mount in one.get("volumes", ())]
    ours = {target: DEPLOY / source for source, target, *_ in mounts if source.startswith(".")}
    assert len(ours) >= 4
    assert all(path.exists() for path in ours.values()), ours
    config = next(
        Path(word.removeprefix("--config.file="))
        for word in services()["prometheus"]["command"]
        if word.startswith("--config.file=")
    )
    assert (ours[str(config.parent)] / config.name).is_file()
    for path in DEPLOY.glob("grafana/provisioning/dashboards/*.yaml"):
        for provider in yaml.safe_load(path.read_text())["providers"]:
            folder = provider["options"]["path"]
            assert any(target.startswith(f"{folder}/") for target in ours)


def test_what_is_published_is_for_this_machine_only() -> None:
    published = [port for service in services().values() for port in service.get("ports", ())]
    assert len(published) >= 6
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_every_variable_is_one_that_something_reads() -> None:
    known = {
        variable_of(model, name)
        for models in PARTS.values()
        for model in models
        for name in model.model_fields
    }
    text = COMPOSE.read_text() + (DEPLOY / "compose.local.yaml").read_text()
    example = set(re.findall(r"^#?(ACTIVITY_\w+)=", (DEPLOY / ".env.example").read_text(), re.M))
    used = set(re.findall(r"ACTIVITY_\w+", text))
    for variable in used | example:
        assert variable in known or DEPLOYMENT.fullmatch(variable), variable
    asked = set(re.findall(r"\$\{(ACTIVITY_\w+):\?", text))
    assert asked <= example


def test_the_override_replaces_only_the_server() -> None:
    override = services(DEPLOY / "compose.local.yaml")
    assert set(override) == {"clickhouse"}
    assert override["clickhouse"]["image"].endswith(f"activity-engine:{VERSION}}}")


def test_the_local_engine_takes_the_servers_user_and_password() -> None:
    server, engine = services()["clickhouse"], services(DEPLOY / "compose.local.yaml")["clickhouse"]
    given, taken = server["environment"], engine["environment"]
    assert taken["ACTIVITY_CLICKHOUSE_PASSWORD"] == given["CLICKHOUSE_PASSWORD"]
    assert engine["command"][-2:] == ["--user", given["CLICKHOUSE_USER"]]
    for name in OURS:
        asking = services()[name]["environment"]
        assert asking["ACTIVITY_CLICKHOUSE_USER"] == given["CLICKHOUSE_USER"]
        assert asking["ACTIVITY_CLICKHOUSE_PASSWORD"] == given["CLICKHOUSE_PASSWORD"]


def test_both_versions_of_compose_know_every_word() -> None:
    # 1.29 knows no `name:`, `include:`, `develop:`, no secrets from the environment, no `!reset`.
    for path in (COMPOSE, DEPLOY / "compose.local.yaml"):
        document = yaml.safe_load(path.read_text())
        assert {key for key in document if not key.startswith("x-")} <= {"services", "volumes"}
    extended = {"build", "develop", "provider", "models", "post_start", "pre_stop", "annotations"}
    assert not any(extended & set(service) for service in services().values())


@pytest.mark.parametrize(
    "path", sorted(DEPLOY.glob("systemd/*.service")), ids=lambda path: path.name
)
def test_a_unit_is_as_systemd_likes_it(path: Path, tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("no systemd here")
    # Its program is not installed here; everything else is looked at.
    unit = tmp_path / path.name
    unit.write_text(re.sub(r"/opt/activity/bin/activity\b", "/bin/true", path.read_text()))
    others = [other for other in path.parent.glob("*.service") if other != path]
    for other in others:
        (tmp_path / other.name).write_text("[Service]\nExecStart=/bin/true\n")
    done = subprocess.run(
        [analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if path.name in line]
    assert said == []
