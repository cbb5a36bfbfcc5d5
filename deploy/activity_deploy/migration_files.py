"""The files of migrations/NNNN_name.sql, and their statements."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DIRECTORY = Path(__file__).parent / "migrations"

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_TOKEN = re.compile(
    r"""(?P<comment> --[^\n]* | /\*.*?\*/ )
      | (?P<quoted> '(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*" | `(?:[^`\\]|\\.|``)*` )
      | (?P<heredoc> \$(?P<tag>\w*)\$ .*? \$(?P=tag)\$ )
      | (?P<end> ; )
      | (?P<text> [^-/'"`$;]+ | . )""",
    re.VERBOSE | re.DOTALL,
)


class MigrationError(Exception):
    """The migrations cannot be applied; the text says which and why, in one line."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file. `checksum` is the SHA-256 of its bytes, in hex."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def label(self) -> str:
        return f"{self.version:04}_{self.name}"


def statements(sql: str) -> Iterator[str]:
    """The statements of a file; a `;` in a comment, a string or a heredoc ends none."""
    part: list[str] = []
    has_code = False
    for token in _TOKEN.finditer(sql + ";"):
        if token.lastgroup == "end":
            if has_code:
                yield "".join(part).strip()
            part, has_code = [], False
            continue
        part.append(token[0])
        has_code = has_code or (token.lastgroup != "comment" and not token[0].isspace())


def read(directory: Path = DIRECTORY) -> list[Migration]:
    """The migrations of a directory, in order. Raises MigrationError for a gap, a double number or
    a name that is not NNNN_name.sql."""
    found: list[Migration] = []
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: a migration is called NNNN_name.sql")
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    for expected, migration in enumerate(found, start=1):
        if migration.version != expected:
            raise MigrationError(f"{migration.label}: number {expected:04} should come here")
    return found
