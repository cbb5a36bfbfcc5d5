"""What may import what, read from the source: `ingest -> schemas <- query_api`, and the rest."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: The folders that hold import packages; `tests` is one itself.
AREAS = ("schemas", "ingest", "query_api", "deploy")
SOURCES = sorted(path for area in (*AREAS, "tests") for path in (ROOT / area).rglob("*.py"))


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] in AREAS else parts)


MODULES = {path: module_of(path) for path in SOURCES}

MOST_LINES = 300

#: Who may not import what; each with all that is below it.
FORBIDDEN = [
    *(
        (package, ["activity_api", "activity_deploy", "tests"])
        for package in ("activity_emit", "activity_spool", "activity_kafka", "activity_consume")
    ),
    (
        "activity_settings",
        ["activity_emit", "activity_spool", "activity_kafka", "activity_consume", "activity_api"],
    ),
    (
        "activity_api",
        ["activity_emit", "activity_spool", "activity_kafka", "activity_consume"],
    ),
    ("activity_api", ["activity_deploy", "tests"]),
    ("activity_deploy", ["tests"]),
    # A service that only emits installs none of these (ingest/pyproject.toml).
    (
        "activity_emit",
        ["activity_consume", "faststream", "fastapi", "starlette", "clickhouse_connect", "orjson"],
    ),
]
#: One storage client, and the engine itself in one place.
STORAGE = {"clickhouse_driver", "asynch", "aiochclient", "sqlalchemy", "duckdb", "chdb"}
CHDB_IS_IMPORTED_IN = "activity_deploy.clickhouse"


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, module) of every import of a file, also of those inside functions."""
    package = MODULES[path].split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            # `from ingest import emit` imports activity_emit.
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)


def is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def breaches(package: str, forbidden: list[str]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in SOURCES
        if is_in(MODULES[path], package)
        for line, module in imports(path)
        if any(is_in(module, name) for name in forbidden)
    ]


@pytest.mark.parametrize(("package", "forbidden"), FORBIDDEN)
def test_no_package_imports_what_it_must_not(package: str, forbidden: list[str]) -> None:
    assert breaches(package, forbidden) == []


def test_schemas_imports_pydantic_and_the_standard_library_only() -> None:
    allowed = {*sys.stdlib_module_names, "pydantic", "activity_schemas"}
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in SOURCES
        if is_in(MODULES[path], "activity_schemas")
        for line, module in imports(path)
        if module.split(".")[0] not in allowed
    ]
    assert found == []


def test_clickhouse_connect_is_the_one_storage_client() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line} imports {module}"
        for path in SOURCES
        for line, module in imports(path)
        if module.split(".")[0] in STORAGE
        and not (is_in(module, "chdb") and is_in(MODULES[path], CHDB_IS_IMPORTED_IN))
    ]
    assert found == []


def test_files_are_short() -> None:
    lengths = {path: path.read_bytes().count(b"\n") for path in SOURCES}
    long = {str(path.relative_to(ROOT)): n for path, n in lengths.items() if n > MOST_LINES}
    assert long == {}


def test_nothing_sleeps_for_a_time_that_is_hoped_to_be_enough() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "time.sleep"
    ]
    found += [
        f"{path.relative_to(ROOT)}:{line}"
        for path in SOURCES
        for line, module in imports(path)
        if module == "time.sleep"
    ]
    assert found == []


def test_the_rules_see_a_breach() -> None:
    """A rule that nothing can break proves nothing: these imports are there, and rightly so."""
    assert breaches("activity_api", ["activity_schemas"]) != []
    assert breaches("activity_emit", ["activity_schemas.event"]) != []
    assert breaches("activity_deploy.clickhouse", ["chdb"]) != []
