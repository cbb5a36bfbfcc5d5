"""The clients of others: how the program of each is made and run."""

import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.support.programs import ROOT, ended

_HERE = Path(__file__).parent
_MADE = ROOT / ".state" / "clients"

# Each program runs these: one that does not end, one of a million rows, one that fails behind them.
ENDLESS = (
    "SELECT count() FROM numbers(10000000000000) WHERE NOT ignore(sipHash64(number))"
    " SETTINGS max_threads = 1"
)
BIG = "SELECT number, toString(number) AS text FROM numbers(300000)"
LATE = (
    "SELECT number, toString(number + toUInt64(throwIf(number = 600000))) AS text"
    " FROM numbers(1000000) SETTINGS max_threads = 1, max_block_size = 10000"
)


@dataclass(frozen=True, slots=True)
class Client:
    """`needs`: the programs without which it is not made. `scheme`: before its address."""

    name: str
    command: Sequence[object]
    scheme: str = "http://"
    needs: Sequence[str] = ()
    quick: bool = False

    @property
    def missing(self) -> str:
        """What this machine does not have of what it is made with."""
        return ", ".join(name for name in self.needs if shutil.which(name) is None)

    async def make(self) -> None:
        """What has to be fetched and compiled; once, by the Makefile."""
        if self.needs:
            await _run("make", "--silent", f"clients-{self.name}")

    async def talk(self, url: str, database: str) -> dict[str, Any]:
        """What came of it. Raises AssertionError with what the program says."""
        parts = urlsplit(url)
        address = f"{self.scheme}{parts.hostname}:{parts.port}"
        given = [address, parts.username, parts.password, database, ENDLESS, BIG, LATE]
        output = await _run(*self.command, *given)
        said: dict[str, Any] = json.loads(output.splitlines()[-1])
        return said


CLIENTS = [
    Client("connect", [sys.executable, "-m", "tests.clients.connect"], quick=True),
    Client("node", ["node", _MADE / "node" / "client.mjs"], needs=("npm", "node")),
    Client("go", [_MADE / "go"], scheme="", needs=("go",)),
    Client(
        "java",
        ["java", "-cp", f"{_MADE}/java/*", _HERE / "java" / "Client.java"],
        scheme="jdbc:clickhouse://",
        needs=("java", "mvn"),
    ),
    Client("rust", [_MADE / "rust/debug/clickhouse-client-in-tests"], needs=("cargo",)),
]


async def _run(*command: object) -> str:
    code, output, errors = await ended(*command)
    assert code == 0, f"{command[0]}: {output}{errors}"
    return output
