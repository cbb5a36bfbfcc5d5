"""Commands of a second terminal mean the stack that runs, wherever it was told to be."""

from pathlib import Path

import pytest

from activity_deploy.local.addresses import find_state_directory, remember, use_local_stack
from activity_deploy.local.state import StateDirectory

URL, SERVERS = "ACTIVITY_CLICKHOUSE_URL", "ACTIVITY_KAFKA_BOOTSTRAP_SERVERS"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the state directory of a stack that has run on other ports."""
    state = StateDirectory(tmp_path / ".state")
    state.path.mkdir()
    (state.path / "VERSION").touch()
    remember(state, {URL: "http://127.0.0.1:7123", SERVERS: "127.0.0.1:7092"})
    return tmp_path


def test_what_the_stack_has_written_down_is_found_from_below(folder: Path) -> None:
    environment: dict[str, str] = {}
    (folder / "a" / "b").mkdir(parents=True)
    use_local_stack(environment, folder / "a" / "b")
    assert environment == {
        "ACTIVITY_STATE_DIR": str(folder / ".state"),
        URL: "http://127.0.0.1:7123",
        SERVERS: "127.0.0.1:7092",
    }


def test_a_port_that_is_set_counts_more(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_CLICKHOUSE_PORT", "6123")
    environment = {"ACTIVITY_CLICKHOUSE_PORT": "6123"}
    use_local_stack(environment, folder)
    assert environment[URL] == "http://127.0.0.1:6123"
    assert environment[SERVERS] == "127.0.0.1:7092"


def test_an_address_that_is_set_counts_most(folder: Path) -> None:
    environment = {URL: "https://clickhouse.example:8443", "ACTIVITY_CLICKHOUSE_PORT": "6123"}
    use_local_stack(environment, folder)
    assert environment[URL] == "https://clickhouse.example:8443"


def test_without_a_stack_nothing_is_filled_in(tmp_path: Path) -> None:
    environment: dict[str, str] = {}
    use_local_stack(environment, tmp_path)
    assert environment == {"ACTIVITY_STATE_DIR": str(tmp_path / ".state")}


def test_notes_that_cannot_be_read_are_none(folder: Path) -> None:
    (folder / ".state" / "addresses.json").write_text("[broken")
    environment: dict[str, str] = {}
    use_local_stack(environment, folder)
    assert URL not in environment


def test_a_state_directory_that_is_named_is_taken(folder: Path) -> None:
    named = str(folder / "elsewhere")
    assert find_state_directory({"ACTIVITY_STATE_DIR": named}, folder) == Path(named)
