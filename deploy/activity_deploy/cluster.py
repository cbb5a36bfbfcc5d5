"""The same migrations for a cluster: a statement for one node becomes those of a cluster.

`events` is sharded by its org as Kafka's partitions are: `events_local` is each shard's replicated
table, `events` the Distributed one before them, under the name that everybody uses. All other
tables are small, and whole on every node: replicas of one another over all shards.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from clickhouse_connect.driver.binding import quote_identifier

#: Sharded tables, and by what: an org's rows are on one shard, so a batch of one partition, whose
#: keys are orgs, goes to few shards, and one id cannot be on two.
SHARDED = {"events": "kafkaMurmurHash(org_id)"}

_COMMENT = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_STATEMENT = re.compile(
    rf"{_COMMENT}(?P<verb>CREATE(?:\s+OR\s+REPLACE)?\s+(?:TABLE|VIEW)(?:\s+IF\s+NOT\s+EXISTS)?"
    r"|ALTER\s+TABLE|DROP\s+(?:TABLE|VIEW)(?:\s+IF\s+EXISTS)?)\s+(?P<name>\w+)",
    re.IGNORECASE | re.DOTALL,
)
_ENGINE = re.compile(r"^ENGINE\s*=\s*(\w*MergeTree)(?:\(([^)]*)\))?", re.IGNORECASE | re.MULTILINE)
_IN_SUBQUERY = re.compile(r"(?<!GLOBAL )\bIN(\s*\(\s*SELECT\b)", re.IGNORECASE)


class RenderError(ValueError):
    """A statement that this module does not know how to bring to a cluster; the text has it."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """`name`: as in the servers' `remote_servers`. Each server has the macros `shard`,
    `replica`."""

    name: str
    database: str

    @property
    def on_cluster(self) -> str:
        return f" ON CLUSTER {quote_identifier(self.name)}"

    def create_database(self) -> str:
        """On every node."""
        return f"CREATE DATABASE IF NOT EXISTS {quote_identifier(self.database)}{self.on_cluster}"

    def render(self, statement: str) -> Iterator[str]:
        """What takes the statement's place, in this order. Raises RenderError."""
        found = _STATEMENT.match(statement)
        if found is None:
            raise RenderError(f"not known how this is done on a cluster: {_start(statement)}")
        verb, name = found["verb"].upper(), found["name"]
        rest = statement[found.end() :]
        sharded = name in SHARDED
        local = f"{name}_local" if sharded else name
        if verb.startswith("CREATE") and "TABLE" in verb:
            rest, replaced = _ENGINE.subn(lambda engine: self._replicated(name, engine), rest)
            if replaced != 1:
                raise RenderError(f"a table of {replaced} MergeTree engines: {_start(statement)}")
        elif "VIEW" in verb:
            # Asked once and sent to the shards; an IN of a Distributed table in another is refused.
            rest = _IN_SUBQUERY.sub(r"GLOBAL IN\1", rest)
        yield f"{statement[: found.start('name')]}{local}{self.on_cluster}{rest}"
        if sharded:
            yield self._distributed(name, drop=verb.startswith("DROP"))

    def _replicated(self, name: str, engine: re.Match[str]) -> str:
        """With a path that is written down: a name may be used twice, a path never changes."""
        shard, replica = (
            ("{shard}", "{replica}") if name in SHARDED else ("all", "{shard}-{replica}")
        )
        path = f"/clickhouse/tables/{shard}/{self.database}/{name}"
        arguments = ", ".join(filter(None, (f"'{path}'", f"'{replica}'", engine[2])))
        return f"ENGINE = Replicated{engine[1]}({arguments})"

    def _distributed(self, name: str, *, drop: bool) -> str:
        """Made anew after each change: it has no rows, and takes its columns from the local
        table."""
        if drop:
            return f"DROP TABLE IF EXISTS {name}{self.on_cluster}"
        arguments = (
            f"{quote_identifier(self.name)}, currentDatabase(), {name}_local, {SHARDED[name]}"
        )
        return (
            f"CREATE OR REPLACE TABLE {name}{self.on_cluster} AS {name}_local"
            f" ENGINE = Distributed({arguments})"
        )


def _start(statement: str) -> str:
    return " ".join(re.sub(_COMMENT, " ", statement, count=1).split())[:60]
