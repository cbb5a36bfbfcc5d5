"""What waits in the spools of this machine: events that no Kafka has taken yet."""

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from activity_consume.erasure.rules import KeptOut, Rules
from activity_deploy.forget.topics import judge_value
from activity_spool.progress import DIRECTORY
from activity_spool.spool import Row, Spool, orphans

_ROWS = 100
_ANY_SIZE = 1 << 62


@dataclass(slots=True)
class Spooled:
    """`dead`: in spools whose service is dead; `waiting`: in those of services that run, and in
    those that a consumer reads itself: these are kept out when they come."""

    dead: list[KeptOut] = field(default_factory=list)
    waiting: int = 0


class Spools:
    """Of one directory; one that is not there holds nothing."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def look(self, rules: Rules) -> Spooled:
        """What is there now. Raises SpoolError."""
        found = Spooled()
        dead: set[Path] = set()
        for spool in self._orphans():
            dead.add(spool.path)
            for _, _, known in _covered(spool, rules):
                found.dead += known
        # A consumer knows places in the rows of its own ones: nothing may be taken out of them.
        own = self._directory / DIRECTORY
        for path in (*self._directory.glob("*.spool"), *own.glob("*.spool")):
            if path not in dead:
                found.waiting += _count_beside(path, rules)
        return found

    def erase(self, rules: Rules) -> int:
        """How many were taken out of spools whose service is dead. Raises SpoolError."""
        count = 0
        for spool in self._orphans():
            for row, left, known in _covered(spool, rules):
                spool.erase(row, b"\n".join(left), len(left))
                count += len(known)
        return count

    def _orphans(self) -> Iterator[Spool]:
        for spool in orphans(self._directory, _ANY_SIZE):
            try:
                yield spool
            finally:
                spool.close()


def _covered(spool: Spool, rules: Rules) -> Iterator[tuple[Row, list[bytes], list[KeptOut]]]:
    """Rows that hold any: the lines that stay, and what the others are."""
    after = 0
    while rows := spool.read(after, _ROWS):
        for row in rows:
            left, known = _split(row.lines, rules)
            if known:
                yield row, left, known
        after = rows[-1].number


def _split(lines: bytes, rules: Rules) -> tuple[list[bytes], list[KeptOut]]:
    left: list[bytes] = []
    known: list[KeptOut] = []
    for line in lines.split(b"\n"):
        found = judge_value(rules, None, line, 0)
        known += [found] if found else []
        left += [] if found else [line]
    return left, known


def _count_beside(path: Path, rules: Rules) -> int:
    """In a spool that somebody else uses; none if it is gone meanwhile."""
    with contextlib.suppress(sqlite3.Error):
        database = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=1)
        try:
            rows = database.execute("SELECT lines FROM outbox")
            return sum(len(_split(lines, rules)[1]) for (lines,) in rows)
        finally:
            database.close()
    return 0
