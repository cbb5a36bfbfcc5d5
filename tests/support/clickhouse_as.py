"""The local ClickHouse whose one user may what a role may: chDB has no SQL users, but it reads a
users.xml, and enforces it.

`python -m tests.support.clickhouse_as CONFIG --path DIR --port PORT`, else as
`python -m activity_deploy.clickhouse`.
"""

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

from activity_deploy.clickhouse.__main__ import main
from activity_deploy.clickhouse.connections import connect

_AROUND = " '"
_GRANT = re.compile(r"GRANT (.+) TO \S+", re.DOTALL)
_POLICY = re.compile(r"CREATE ROW POLICY .+ ON `?(\w+)`?\.(\w+) FOR SELECT USING (.+) TO .+")
_PROFILE = re.compile(r"CREATE SETTINGS PROFILE .+ SETTINGS (.+) TO \S+")


def write_config(directory: Path, statements: Iterable[str]) -> Path:
    """config.xml and users.xml of a user who may what these statements give to a role."""
    grants: list[str] = []
    policies: dict[tuple[str, str], list[str]] = {}
    settings = ""
    for statement in statements:
        text = "\n".join(line for line in statement.splitlines() if not line.startswith("--"))
        if (found := _GRANT.fullmatch(text)) and "ON" in text:
            grants.append(f"<query>{escape(f'GRANT {found[1]}')}</query>")
        elif found := _POLICY.fullmatch(text):
            policies.setdefault((found[1], found[2]), []).append(found[3])
        elif found := _PROFILE.fullmatch(text):
            pairs = (pair.split("=") for pair in found[1].split(","))
            settings = "".join(
                # chDB loads the tables as its user, which takes settings: the test sets it itself.
                ""
                if name.strip() == "readonly"
                else f"<{name.strip()}>{value.strip(_AROUND)}</{name.strip()}>"
                for name, value in pairs
            )
    rows = "".join(
        f"<{database}><{table}><filter>{escape(' OR '.join(using))}</filter></{table}></{database}>"
        for (database, table), using in policies.items()
    )
    users = directory / "users.xml"
    users.write_text(
        f"<clickhouse><profiles><default>{settings}</default></profiles><quotas><default/></quotas>"
        "<users><default><password></password><networks><ip>::/0</ip></networks>"
        f"<profile>default</profile><quota>default</quota><grants>{''.join(grants)}</grants>"
        f"<databases>{rows}</databases></default></users></clickhouse>"
    )
    config = directory / "config.xml"
    config.write_text(f"<clickhouse><users_config>{users}</users_config></clickhouse>")
    return config


_EACH = """
import sys, chdb
connection = chdb.connect(sys.argv[1])
connection.query("SET readonly = 1")
for statement in sys.argv[2:]:
    try:
        print(str(connection.query(statement, "TSV")).strip())
    except Exception as error:
        print(str(error).split("(")[-1].rstrip(") ."))
"""


def as_user_of(config: Path, data: Path, asked: Iterable[str]) -> dict[str, str]:
    """Each statement's answer of one line, or what the engine calls its error; `readonly = 1`."""
    statements = list(asked)
    result = subprocess.run(
        [sys.executable, "-c", _EACH, f"{data / 'chdb'}?config-file={config}", *statements],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    return dict(zip(statements, result.stdout.splitlines(), strict=True))


if __name__ == "__main__":
    path = Path(sys.argv[sys.argv.index("--path") + 1])
    # The first connection of a process decides; the server's own, to the same path, follow.
    engine = connect(f"{path.resolve()}/chdb?config-file={sys.argv.pop(1)}")
    sys.exit(main())
