"""Which rows of a batch the table refuses, asked of it for all of them at once.

An operator may have narrowed a column (an Enum of error codes), or have added a constraint. Then
one row fails the whole insert, and the engine does not say which.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.binding import format_str, quote_identifier

from activity_consume.sink.failure import LEASE_CONSTRAINT
from activity_consume.sink.fits import fits

_CONSTRAINT = re.compile(r"^\s+CONSTRAINT (`(?:[^`\\]|\\.)+`|\w+) CHECK (.+?),?$", re.MULTILINE)
# Of a text that they cannot read they throw, and make NULL if they are called so.
_THROWING = re.compile(r"\b(toUUID|toIPv[46]|parseDateTime(?:32|64)?(?:BestEffort(?:US)?)?)\(")


@dataclass(frozen=True, slots=True)
class Check:
    """`sql`: 0 or NULL for a row that the table refuses for the sake of `what`."""

    what: str
    sql: str


@dataclass(frozen=True, slots=True)
class TableChecks:
    """`inserted`: columns and their types. `columns`: SQL of all that the table makes of them."""

    inserted: Mapping[str, str]
    columns: str
    checks: Sequence[Check]

    @classmethod
    async def of(cls, client: AsyncClient, inserted: Mapping[str, str]) -> "TableChecks":
        """Of the table `events` as it is now. Raises ClickHouseError."""
        described = (await client.query("DESCRIBE TABLE events")).result_rows
        kinds = {name: kind for name, kind, *_ in described}
        made = {
            name: _THROWING.sub(r"\1OrNull(", default) or _nothing(kind)
            for name, kind, _, default, *_ in described
            if name not in inserted
        }
        columns = ", ".join(
            [*inserted, *(f"{sql} AS {quote_identifier(name)}" for name, sql in made.items())]
        )
        # Not as constants: the engine would work with them.
        empty = (f"materialize({_nothing(kind)}) AS {name}" for name, kind in inserted.items())
        found = await client.query(f"DESCRIBE TABLE ({_select(columns, empty)})")
        shown = (await client.query("SHOW CREATE TABLE events")).result_rows[0][0]
        return cls(
            inserted,
            columns,
            [
                *(
                    Check(f"column {name} ({kinds[name]})", sql)
                    for name, kind, *_ in found.result_rows
                    if (sql := fits(kind, kinds[name], quote_identifier(name)))
                ),
                *(
                    Check(f"constraint {name}", sql)
                    for name, sql in _CONSTRAINT.findall(shown)
                    # A zombie's insert has to fail as a whole.
                    if name.strip("`") != LEASE_CONSTRAINT
                ),
            ],
        )

    def insert(self, into: str) -> str:
        """What stands behind INSERT INTO, to insert the rows that pass."""
        structure = ", ".join(f"{name} {kind}" for name, kind in self.inserted.items())
        passing = " AND ".join([f"ifNull({check.sql}, 0)" for check in self.checks]) or "1"
        return (
            f"{into} SELECT {', '.join(self.inserted)} FROM"  # noqa: S608 - the table's own words
            f" (SELECT {self.columns} FROM input({format_str(structure)})) WHERE {passing}"
        )

    async def refusing(self, client: AsyncClient, message: bytes) -> str:
        """What refuses an event, '' if none of these does. Raises ClickHouseError."""
        row = (
            f"{'{message:String}' if name == 'message' else _nothing(kind)} AS {name}"
            for name, kind in self.inserted.items()
        )
        what = ", ".join(format_str(check.what) for check in self.checks)
        passed = ", ".join(f"ifNull({check.sql}, 0) != 0" for check in self.checks)
        found = await client.query(
            "SELECT arrayFilter((what, passed) -> NOT passed,"  # noqa: S608 - the table's own words
            f" CAST([{what}], 'Array(String)'), CAST([{passed}], 'Array(Bool)'))"
            f" FROM ({_select(self.columns, row)})",
            {"message": message.decode()},
        )
        return ", ".join(found.result_rows[0][0])


def _select(columns: str, row: Iterable[str]) -> str:
    return f"SELECT {columns} FROM (SELECT {', '.join(row)})"  # noqa: S608 - the table's own words


def _nothing(kind: str) -> str:
    return f"defaultValueOfTypeName({format_str(kind)})"
