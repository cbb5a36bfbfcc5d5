"""What may import what, read from the source: `ingest -> schemas <- query_api`, and the rest."""

import ast
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
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
_BELOW_ALL = ("activity_settings", "activity_telemetry", "activity_http")

#: Who may not import what; each with all that is below it.
FORBIDDEN = [
    *(
        (package, ["activity_api", "activity_deploy", "tests"])
        for package in ("activity_emit", "activity_spool", "activity_kafka", "activity_consume")
    ),
    *(
        (package, ["activity_emit", "activity_spool", "activity_kafka", "activity_consume"])
        for package in (*_BELOW_ALL, "activity_api")
    ),
    *((package, ["activity_api", "activity_deploy", "tests"]) for package in _BELOW_ALL),
    ("activity_api", ["activity_deploy", "tests"]),
    ("activity_deploy", ["tests"]),
    ("activity_consume", ["activity_emit"]),
    # A service that only emits installs none of these (ingest/pyproject.toml).
    (
        "activity_emit",
        [
            *("activity_consume", "activity_telemetry", "faststream", "fastapi", "starlette"),
            *("clickhouse_connect", "orjson"),
        ],
    ),
]
#: The rooms of a package, from the front door to the cellar: a line may import what stands below it
#: and itself, never what stands above. Names on one line share a floor, where no circle may be.
LAYERS: dict[str, list[tuple[str, ...]]] = {
    "activity_emit": [
        ("activity_emit.testing", "activity_emit.django"),  # what only some import
        ("activity_emit",),  # what a service imports
        ("activity_emit.middleware", "activity_emit.exposition"),
        ("activity_emit.shared",),  # by the middlewares
        ("activity_emit.publisher", "activity_emit.protocol"),
        ("activity_emit.engine_thread",),
        ("activity_emit.forwarder",),
        ("activity_emit.assembly",),
        ("activity_emit.delivery",),
        ("activity_emit.event",),
        ("activity_emit.reasons", "activity_emit.interception"),
        ("activity_emit.settings",),
        (
            "activity_emit.rules",
            "activity_emit.metrics",
            "activity_emit.logs",
            "activity_emit.lifecycle",
            "activity_emit.waiting",
            "activity_emit.errors",
        ),
        ("activity_spool", "activity_kafka"),
        ("activity_schemas",),
    ],
    "activity_api": [
        ("activity_api", "activity_api.__main__", "activity_api.app"),
        ("activity_api.observed",),
        ("activity_api.error_handlers", "activity_api.openapi", "activity_api.ui"),
        ("activity_api.endpoints",),
        ("activity_api.auth",),
        (
            "activity_api.clickhouse",
            "activity_api.errors",
            "activity_api.request_target",
            "activity_api.server",
            "activity_api.static_files",
        ),
        (
            "activity_api.metrics",
            "activity_api.queries",
            "activity_api.responses",
            "activity_api.settings",
            "activity_api.token_settings",
            "activity_api.verification_key",
        ),
        ("activity_schemas",),
    ],
    "activity_consume": [
        ("activity_consume", "activity_consume.__main__"),
        ("activity_consume.main",),
        ("activity_consume.consumer",),
        ("activity_consume.probes",),
        ("activity_consume.sources",),
        ("activity_consume.delivery",),
        ("activity_consume.sink",),
        ("activity_consume.metrics",),
        ("activity_consume.batching",),
        ("activity_consume.dead_letter",),
        ("activity_consume.erasure",),
        ("activity_consume.validation", "activity_consume.clients", "activity_consume.brokers"),
        (
            "activity_consume.settings",
            "activity_consume.record",
            "activity_consume.errors",
            "activity_consume.gauges",
            "activity_consume.health",
            "activity_consume.retry",
        ),
        ("activity_spool", "activity_kafka"),
        ("activity_schemas",),
    ],
}
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


def layer_of(module: str, layers: list[tuple[str, ...]]) -> int | None:
    """The floor of a module of these; None: it is of another package.

    The longest name counts: `activity_emit.event` and not the front door `activity_emit`.
    """
    found = [
        (len(name), number)
        for number, names in enumerate(layers)
        for name in names
        if is_in(module, name)
    ]
    return max(found)[1] if found else None


def upward(package: str, layers: list[tuple[str, ...]]) -> list[str]:
    """Imports of a package that go up, or to a room that is on no floor."""
    wrong = []
    for path in SOURCES:
        if not is_in(MODULES[path], package):
            continue
        own = layer_of(MODULES[path], layers)
        assert own is not None
        for line, module in imports(path):
            floor = layer_of(module, layers)
            if floor is not None and floor < own:
                wrong.append(f"{path.relative_to(ROOT)}:{line} imports {module}")
    return wrong


def rooms(package: str) -> set[str]:
    """The modules and sub-packages of a package, without what stands at its very front."""
    inside = (module.split(".") for module in MODULES.values() if is_in(module, package))
    return {".".join(parts[:2]) for parts in inside if len(parts) > 1} - {f"{package}.__init__"}


@pytest.mark.parametrize("package", LAYERS)
def test_imports_go_down_the_layers_and_never_up(package: str) -> None:
    assert upward(package, LAYERS[package]) == []


@pytest.mark.parametrize("package", LAYERS)
def test_every_room_has_a_layer(package: str) -> None:
    assert rooms(package) - {name for names in LAYERS[package] for name in names} == set()


def circle(modules: dict[str, set[str]]) -> list[str]:
    """The modules of one circle of imports, [] where there is none."""
    try:
        TopologicalSorter(modules).prepare()
    except CycleError as error:
        return [str(module) for module in error.args[1]]
    return []


def arrows(package: str) -> dict[str, set[str]]:
    """Each module of a package, and what it imports of the package."""
    known = {module.removesuffix(".__init__") for module in MODULES.values()}
    found: dict[str, set[str]] = {}
    for path in SOURCES:
        own = MODULES[path].removesuffix(".__init__")
        if not is_in(own, package):
            continue
        # Of `from a.b import c`, c may be a module or a name in one.
        named = {m if m in known else m.rpartition(".")[0] for _, m in imports(path)}
        found[own] = {m for m in named if m in known and is_in(m, package)} - {own}
    return found


@pytest.mark.parametrize("package", LAYERS)
def test_no_modules_import_each_other_in_a_circle(package: str) -> None:
    assert circle(arrows(package)) == []


@pytest.mark.parametrize("package", LAYERS)
def test_no_rooms_on_a_floor_import_each_other_in_a_circle(package: str) -> None:
    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    between: dict[str, set[str]] = {}
    for module, imported in arrows(package).items():
        others = {room(one) for one in imported} - {room(module), package}
        between.setdefault(room(module), set()).update(others)
    between.pop(package, None)  # the front door, which its own rooms may not know
    assert circle(between) == []


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
    found += [f"{path}:{n}" for path in SOURCES for n, m in imports(path) if m == "time.sleep"]
    assert found == []


def test_the_rules_see_a_breach() -> None:
    """A rule that nothing can break proves nothing: these imports are there, and rightly so."""
    assert breaches("activity_api", ["activity_schemas"]) != []
    assert breaches("activity_emit", ["activity_schemas.event"]) != []
    assert breaches("activity_deploy.clickhouse", ["chdb"]) != []
    upside_down = LAYERS["activity_emit"][::-1]
    assert upward("activity_emit", upside_down) != []
    assert arrows("activity_api")["activity_api.errors"] == {"activity_api.responses"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) != []
