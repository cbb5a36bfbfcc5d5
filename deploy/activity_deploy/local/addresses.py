"""Where the local stack is, for the commands of a second terminal."""

import json
from collections.abc import MutableMapping
from pathlib import Path

from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.state import StateDirectory
from activity_deploy.process.ports import HOST

_DEFAULT_NAME = ".state"
_PASSWORD_FILE = "ACTIVITY_CLICKHOUSE_PASSWORD_FILE"  # noqa: S105 - the name of a variable


def find_state_directory(environment: MutableMapping[str, str], start: Path) -> Path:
    """`ACTIVITY_STATE_DIR`, else the nearest `.state` at or above `start`, else a new one there."""
    if named := environment.get("ACTIVITY_STATE_DIR"):
        return Path(named)
    for folder in (start, *start.parents):
        if StateDirectory.is_one(folder / _DEFAULT_NAME):
            return folder / _DEFAULT_NAME
    return start / _DEFAULT_NAME


def remember(state: StateDirectory, variables: dict[str, str]) -> None:
    """Keep the addresses that this run of the stack has, as environment variables."""
    state.addresses.write_text(json.dumps(variables, indent=2) + "\n", encoding="utf-8")


def use_local_stack(environment: MutableMapping[str, str], start: Path) -> set[str]:
    """Fill in the addresses that the environment leaves out, so that every command means one stack;
    the names that were filled in.

    What is set counts first, then a port that is set, then what the running stack has written down.
    Raises ValidationError for a wrong setting of the local stack.
    """
    own = not environment.get("ACTIVITY_CLICKHOUSE_URL")
    before = {name for name, value in environment.items() if value}
    state = StateDirectory(find_state_directory(environment, start))
    environment["ACTIVITY_STATE_DIR"] = str(state.path)
    try:
        written = json.loads(state.addresses.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        written = {}
    settings = LocalSettings()
    ports = {
        "ACTIVITY_CLICKHOUSE_URL": (
            "ACTIVITY_CLICKHOUSE_PORT",
            f"http://{HOST}:{settings.clickhouse_port}",
        ),
        "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": (
            "ACTIVITY_KAFKA_PORT",
            f"{HOST}:{settings.kafka_port}",
        ),
    }
    for name, (port, address) in ports.items():
        if environment.get(name):
            continue
        if environment.get(port):
            environment[name] = address
        elif isinstance(written, dict) and isinstance(written.get(name), str):
            environment[name] = written[name]
    is_given = environment.get("ACTIVITY_CLICKHOUSE_PASSWORD") or environment.get(_PASSWORD_FILE)
    file = written.get(_PASSWORD_FILE) if isinstance(written, dict) else None
    # A stack that was given its password has no file of it.
    if own and not is_given and isinstance(file, str) and Path(file).exists():
        environment[_PASSWORD_FILE] = file
    return {name for name, value in environment.items() if value} - before
