"""Both wheels as they are published: what is in them, and the command from an empty folder."""

import asyncio
import importlib.metadata
import json
import os
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIPELINE = {
    *("activity_api", "activity_consume", "activity_deploy"),
    *("activity_http", "activity_telemetry"),
}
EMITTER = {
    "activity_emit",
    "activity_kafka",
    "activity_pytest",
    "activity_schemas",
    "activity_settings",
    "activity_spool",
}
# What is read beside the code.
DATA = {
    "activity_api/openapi/swagger_ui/page.html",
    "activity_api/openapi/swagger_ui/swagger-ui-bundle.js",
    *(f"activity_api/ui/built/{name}" for name in ("app.js", "app.css", "page.html")),
    "activity_deploy/clickhouse/config.xml",
    "activity_deploy/clickhouse/users.xml",
    "activity_deploy/kafka/log4j2.properties",
    "activity_deploy/kafka/pom.xml",
}


async def run(*command: object, cwd: Path) -> str:
    """A program's output; nothing of ours is in its environment."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd)},
    )
    output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode() or output.decode()
    return output.decode()


@pytest.fixture(scope="module")
async def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By the distribution's name."""
    directory = tmp_path_factory.mktemp("wheels")
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory)
    await asyncio.gather(*(run(*build, cwd=folder) for folder in (ROOT, ROOT / "ingest")))
    return {path.name.split("-")[0].replace("_", "-"): path for path in directory.glob("*.whl")}


@pytest.fixture(scope="module")
async def installed(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment that has both; what they ask for is borrowed from ours."""
    venv = tmp_path_factory.mktemp("pipeline") / "venv"
    await run(sys.executable, "-m", "venv", venv, cwd=venv.parent)
    python = venv / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile")
    await run(python, *install, "--disable-pip-version-check", *wheels.values(), cwd=venv.parent)
    [packages] = venv.glob("lib/python*/site-packages")
    [borrowed] = {path for path in map(Path, sys.path) if path.name == "site-packages"}
    # As a folder and not as a site: its .pth files would bring this repository's own code.
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return venv / "bin"


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def contents(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_each_part_is_in_one_wheel(wheels: dict[str, Path]) -> None:
    assert wheels.keys() == {"activity-emit", "activity-pipeline"}
    pipeline, emitter = (contents(wheels[f"activity-{one}"]) for one in ("pipeline", "emit"))
    assert {name.split("/")[0] for name in pipeline} == PIPELINE
    assert {name.split("/")[0] for name in emitter} == EMITTER


def test_what_is_read_beside_the_code_is_in_it(wheels: dict[str, Path]) -> None:
    files = contents(wheels["activity-pipeline"])
    migrations = (ROOT / "deploy" / "activity_deploy" / "migrations").glob("*.sql")
    expected = {f"activity_deploy/migrations/{path.name}" for path in migrations}
    assert len(expected) >= 9
    assert files >= DATA | expected
    assert {f"{name}/py.typed" for name in PIPELINE} <= files
    assert "activity_schemas/tables.json" in contents(wheels["activity-emit"])


async def test_the_command_runs_in_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    where = "import activity_deploy, activity_emit; print(activity_deploy.__file__)"
    assert str(installed.parent) in await run(installed / "python", "-c", where, cwd=tmp_path)
    version = importlib.metadata.version("activity-pipeline")
    assert await run(installed / "activity", "--version", cwd=tmp_path) == f"activity {version}\n"
    document = json.loads(await run(installed / "activity", "openapi", cwd=tmp_path))
    assert document == json.loads((ROOT / "schemas" / "openapi.json").read_text())
    assert "ACTIVITY_KAFKA_TOPIC" in await run(installed / "activity", "settings", cwd=tmp_path)
    assert names(tmp_path) == []
