"""The tables as this release has them, and how a database differs from that.

`tables.json` is what a fresh database has after all migrations (`make schemas`; a test compares).
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("tables.json")
#: Of the database that the client is bound to: rows (kind, of_table, part, text). What its user may
#: not see is not there. TTL and settings are left out: retention is the operator's.
DESCRIBE = """\
SELECT * FROM
(
    SELECT 'table' AS kind, name AS of_table, '' AS part,
        concat(replaceRegexpOne(engine, '^(Replicated|Shared)', ''), '; ', partition_key, '; ',
               sorting_key, '; ', as_select) AS text
    FROM system.tables WHERE database = currentDatabase()
    UNION ALL
    SELECT 'source', name, '', create_table_query
    FROM system.tables WHERE database = currentDatabase() AND create_table_query LIKE '%CONSTRAINT%'
    UNION ALL
    SELECT 'column', table, name,
        concat(type, ' ', default_kind, ' ', default_expression, ' ', compression_codec)
    FROM system.columns WHERE database = currentDatabase()
    UNION ALL
    SELECT 'index', table, name, concat(type_full, ' ', expr, ' ', toString(granularity))
    FROM system.data_skipping_indices WHERE database = currentDatabase()
    UNION ALL
    SELECT 'projection', table, name, query
    FROM system.projections WHERE database = currentDatabase()
)
ORDER BY kind, of_table, part"""
#: The newest migration that was applied, 0 for none.
VERSION = "SELECT max(version) FROM schema_migrations"

_CONSTRAINT = re.compile(
    r"CONSTRAINT `?(\w+)`? ((?:CHECK|ASSUME) .*?)"
    r"(?=, (?:INDEX|PROJECTION|CONSTRAINT|`)|\)\s*ENGINE)",
    re.DOTALL,
)
_OWN = ("schema_migrations", "schema_migration_steps", "schema_migrations_lock")
_VIEWS = ("View", "MaterializedView")

#: (kind, table, name) -> its text.
Parts = dict[tuple[str, str, str], str]


@dataclass(frozen=True, slots=True)
class Tables:
    """Of a release, or of a database."""

    version: int
    parts: Parts


@cache
def expected() -> Tables:
    """Those of this release."""
    read = json.loads(_FILE.read_text(encoding="utf-8"))
    return Tables(read["version"], {(k, t, n): text for k, t, n, text in read["parts"]})


def described(rows: Iterable[Sequence[Any]], database: str, version: int) -> Tables:
    """What DESCRIBE and VERSION have answered."""
    parts: Parts = {}
    for kind, table, name, text in rows:
        if table in _OWN or table.startswith("."):
            continue
        # A view's text names its database; how lines are broken is the engine's own.
        told = " ".join(re.sub(rf"`?{re.escape(database)}`?\.", "", text).split())
        if kind == "source":
            for constraint, condition in _CONSTRAINT.findall(told):
                parts["constraint", table, constraint] = condition
        else:
            parts[kind, table, name] = told
    parts = _of_one_node(parts)
    # A view's columns follow from its text.
    return Tables(version, {k: v for k, v in parts.items() if not _of_view(parts, k)})


def _of_one_node(parts: Parts) -> Parts:
    """As on one node: on a cluster `events` is a Distributed table, and its rows are in
    `events_local`."""
    before = {
        table
        for (kind, table, _), text in parts.items()
        if kind == "table" and text.startswith("Distributed")
    }
    if not before:
        return parts
    local = {f"{table}_local": table for table in before}
    return {
        (kind, local.get(table, table), name): text.replace("GLOBAL IN", "IN")
        for (kind, table, name), text in parts.items()
        if table not in before
    }


def drift(found: Tables, *, sees_all: bool) -> list[str]:
    """How a database differs from this release, a line each; of one that a newer release has
    migrated nothing is known, so nothing is said; nor of additions where the release is not known
    (version 0). `sees_all`: what is not there is missing, and not
    only hidden from this user."""
    release = expected()
    if found.version > release.version:
        return []
    if 0 < found.version < release.version:
        return [f"migrations after {found.version:04} are not applied: run `activity migrate`"]
    known = {table for _, table, _ in release.parts}
    seen = {table for _, table, _ in found.parts}
    lines = [f"table {table} is missing" for table in sorted(known - seen) if sees_all]
    for key in sorted(release.parts.keys() | found.parts.keys()):
        kind, table, name = key
        if table not in known or table not in seen:
            continue  # an analyst's own; or said above
        before, now = release.parts.get(key), found.parts.get(key)
        if before != now and (before is not None or found.version):
            lines.append(_difference(kind, table, name, before, now))
    return lines


def to_json(tables: Tables) -> str:
    """`tables.json`."""
    parts = [[*key, text] for key, text in sorted(tables.parts.items())]
    lines = ",\n".join(json.dumps(part) for part in parts)
    return f'{{"version": {tables.version}, "parts": [\n{lines}\n]}}\n'


def _difference(kind: str, table: str, name: str, before: str | None, now: str | None) -> str:
    if kind == "table":
        is_view = (before or "").split(";")[0] in _VIEWS
        return (
            f"view {table} was altered"
            if is_view
            else f"table {table}: its engine or key is another"
        )
    what = f"table {table}: {kind} {name}"
    if before is None:
        return f"{what} was added"
    return f"{what} is missing" if now is None else f"{what} is `{now}` and not `{before}`"


def _is_view(parts: Parts, table: str) -> bool:
    return parts.get(("table", table, ""), "").split(";")[0] in _VIEWS


def _of_view(parts: Parts, key: tuple[str, str, str]) -> bool:
    return key[0] == "column" and _is_view(parts, key[1])
