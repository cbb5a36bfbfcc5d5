"""The wheel alone in an empty environment: it emits, and brings nothing that it does not need."""

import asyncio
import importlib.metadata
import json
import sys
from pathlib import Path

import pytest

from activity_emit import ActivityEvent
from tests.integration.emit.harness import read

ROOT = Path(__file__).parents[3]
# A service that emits; it prints what it can import.
SERVICE = """
import asyncio, importlib.util, json, sys
from activity_emit import ActivityMiddleware, KafkaPublisher, activity

async def application(scope, receive, send):
    activity.set(execution_id="x1")
    await send({"type": "http.response.start", "status": 201, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})

async def emit():
    async with KafkaPublisher() as events:
        app = ActivityMiddleware(application, events)
        scope = {"type": "http", "method": "POST", "path": "/orgs/o1/apps/a1", "headers": []}
        async def nothing(message=None):
            return {"type": "http.request"}
        await app(scope, nothing, nothing)

asyncio.run(emit())
names = ["fastapi", "starlette", "clickhouse_connect", "orjson", "uvloop", "chdb", "httpx"]
print(json.dumps([name for name in names if importlib.util.find_spec(name)]))
"""


async def run(*command: object, **environment: str) -> str:
    """A program's output; `environment` is all it gets besides."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=ROOT / "ingest",
        env=environment or None,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    return output.decode()


# What the service beside us calls its own: names that a wheel must not take.
APPLICATION = {
    "schemas.py": "WHOSE = 'theirs'",
    "ingest.py": "WHOSE = 'theirs'",
    "settings.py": "WHOSE = 'theirs'",
    "utils.py": "WHOSE = 'theirs'",
    "deploy/where.py": "WHOSE = 'theirs'",  # a folder without __init__.py
    "main.py": """
import ingest, schemas, settings, utils
from deploy import where
from emitting import serve
assert {one.WHOSE for one in (ingest, schemas, settings, utils, where)} == {'theirs'}
serve()
""",
}
# The same with a folder `schemas/` in place of the module.
WITH_FOLDER = {
    **{name: text for name, text in APPLICATION.items() if name != "schemas.py"},
    "schemas/order.py": "WHOSE = 'theirs'",
    "main.py": """
import ingest, settings, utils
from deploy import where
from schemas import order
from emitting import serve
assert {one.WHOSE for one in (ingest, order, settings, utils, where)} == {'theirs'}
serve()
""",
}


@pytest.fixture(scope="module")
async def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that has the wheel, and what it asks for."""
    directory = tmp_path_factory.mktemp("install")
    # The versions that are tested, so that a new release elsewhere breaks nothing here.
    (directory / "versions").write_text(
        "".join(
            f"{one.metadata['Name']}=={one.version}\n"
            for one in importlib.metadata.distributions()
            if one.metadata["Name"] not in ("activity-emit", "activity-pipeline")
        )
    )
    python = directory / "venv" / "bin" / "python"
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory]
    await asyncio.gather(run(*build), run(sys.executable, "-m", "venv", directory / "venv"))
    [wheel] = directory.glob("*.whl")
    install = ["-m", "pip", "install", "--quiet", "--no-compile", "--disable-pip-version-check"]
    await run(python, *install, "--constraint", directory / "versions", wheel)
    return python


async def test_it_emits_with_pydantic_and_aiokafka_alone(
    installed: Path, kafka_bootstrap: str, topic: str, tmp_path: Path
) -> None:
    output = await run(
        installed,
        *("-I", "-c", SERVICE),
        ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
        ACTIVITY_KAFKA_TOPIC=topic,
        ACTIVITY_SPOOL_DIR=str(tmp_path),
        ACTIVITY_EMIT_STOP_TIMEOUT_S="20",
    )
    assert json.loads(output.splitlines()[-1]) == []
    [record] = await read(kafka_bootstrap, topic, 1)
    event = ActivityEvent.model_validate_json(record.value)
    assert (event.app_id, event.execution_id, event.status_code) == ("a1", "x1", 201)


@pytest.mark.parametrize("files", [APPLICATION, WITH_FOLDER], ids=["modules", "folder"])
async def test_a_service_with_such_names_of_its_own_emits(
    installed: Path, kafka_bootstrap: str, topic: str, tmp_path: Path, files: dict[str, str]
) -> None:
    """Started as people start it: `python main.py`, the service's folder first on the path."""
    emitting = SERVICE.replace("asyncio.run(emit())", "def serve(): asyncio.run(emit())")
    for name, text in {**files, "emitting.py": emitting.partition("names = [")[0]}.items():
        path = tmp_path / "app" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    await run(
        installed,
        tmp_path / "app" / "main.py",
        ACTIVITY_KAFKA_BOOTSTRAP_SERVERS=kafka_bootstrap,
        ACTIVITY_KAFKA_TOPIC=topic,
        ACTIVITY_SPOOL_DIR=str(tmp_path / "spool"),
        ACTIVITY_EMIT_STOP_TIMEOUT_S="20",
    )
    [record] = await read(kafka_bootstrap, topic, 1)
    assert ActivityEvent.model_validate_json(record.value).execution_id == "x1"


async def test_it_asks_for_nothing_else_and_is_typed(installed: Path) -> None:
    listed = await run(
        installed, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"
    )
    names = {one["name"].lower().replace("_", "-") for one in json.loads(listed.splitlines()[0])}
    asked = {"pydantic", "pydantic-settings", "aiokafka"}
    # And what those ask for.
    theirs = {"annotated-types", "async-timeout", "packaging", "pydantic-core", "python-dotenv"}
    theirs |= {"typing-extensions", "typing-inspection"}
    assert names - {"pip", "setuptools", "activity-emit"} == asked | theirs
    [packages] = installed.parents[1].glob("lib/python*/site-packages")
    ours = {one.name for one in packages.glob("activity_*") if not one.name.endswith(".dist-info")}
    wanted = {"emit", "kafka", "pytest", "schemas", "settings", "spool"}
    assert ours == {f"activity_{name}" for name in wanted}
    # And nothing of ours under another name.
    [record] = packages.glob("activity_emit-*.dist-info/RECORD")
    top = {line.split("/")[0] for line in record.read_text().splitlines()}
    assert {one for one in top if not one.endswith(".dist-info")} == ours
    assert all((packages / name / "py.typed").exists() for name in ours)
