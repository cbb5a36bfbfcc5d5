"""Secrets from files: `ACTIVITY_..._FILE` for each, and one line for each that is wrong."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from activity_api.settings import Settings, SettingsError, TokenSettings
from activity_consume.settings import ClickHouseSettings
from activity_deploy.errors import UserError
from activity_deploy.local.secrets import Secrets, existing
from activity_deploy.local.state import StateDirectory
from activity_emit.delivery.kafka_sender import KafkaSender
from activity_emit.errors import NotConnectedError
from activity_kafka.settings import KafkaSecuritySettings, KafkaSettings
from activity_settings.files import read_variable

SECRET = "s3cret-that-nobody-must-ever-see-anywhere"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Nothing of ours set."""
    for name in os.environ:
        if name.startswith("ACTIVITY_"):
            monkeypatch.delenv(name)
    yield monkeypatch


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    return path


def kafka() -> str | None:
    password = KafkaSecuritySettings().sasl_password
    return password.get_secret_value() if password else None


def clickhouse_password() -> str | None:
    return ClickHouseSettings().login().get("password")


def api(name: str) -> Callable[[], str | None]:
    def read() -> str | None:
        settings = Settings.from_environment()
        found = {
            "jwt": settings.tokens.key,
            "cursor": settings.cursor.key,
            "clickhouse": settings.clickhouse.password,
        }[name]
        assert SECRET not in repr(settings)
        assert SECRET not in str(settings)
        return found.get_secret_value() if found else None

    return read


SECRETS: dict[str, tuple[str, Callable[[], str | None]]] = {
    "the JWT key": ("ACTIVITY_JWT_KEY", api("jwt")),
    "the cursors' key": ("ACTIVITY_CURSOR_KEY", api("cursor")),
    "ClickHouse's password": ("ACTIVITY_CLICKHOUSE_PASSWORD", api("clickhouse")),
    "ClickHouse's password of the consumer": ("ACTIVITY_CLICKHOUSE_PASSWORD", clickhouse_password),
    "Kafka's password": ("ACTIVITY_KAFKA_SASL_PASSWORD", kafka),
}
EACH = pytest.mark.parametrize(("variable", "read"), SECRETS.values(), ids=SECRETS.keys())


@pytest.fixture(autouse=True)
def _others(environment: pytest.MonkeyPatch) -> None:
    """The API starts only with these."""
    for name in ("ACTIVITY_JWT_KEY", "ACTIVITY_CURSOR_KEY"):
        environment.setenv(name, "another secret that is long enough for it")


@EACH
def test_a_file_is_as_good_as_the_variable(
    environment: pytest.MonkeyPatch,
    secret_file: Path,
    variable: str,
    read: Callable[[], str | None],
) -> None:
    environment.delenv(variable, raising=False)
    environment.setenv(f"{variable}_FILE", str(secret_file))
    assert read() == SECRET


@EACH
@pytest.mark.parametrize("content", ["missing", "directory", "empty", "binary", "huge", "both"])
def test_a_wrong_file_is_one_line(
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    variable: str,
    read: Callable[[], str | None],
    content: str,
) -> None:
    path = tmp_path / "secret"
    files: dict[str, bytes] = {"empty": b"\n", "binary": b"\xff\0", "huge": b"x" * (65 << 10)}
    environment.delenv(variable, raising=False)
    if content == "directory":
        path.mkdir()
    elif content != "missing":
        path.write_bytes(files.get(content, SECRET.encode()))
    if content == "both":
        environment.setenv(variable, SECRET)
    environment.setenv(f"{variable}_FILE", str(path))
    with pytest.raises((SettingsError, ValidationError)) as refused:
        read()
    text = str(refused.value)
    assert f"{variable}_FILE" in text
    assert SECRET not in text
    assert "input_value" not in text
    if isinstance(refused.value, SettingsError):
        assert "\n" not in text


def test_a_short_secret_does_not_show_itself(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    path.write_text("shrt")
    environment.delenv("ACTIVITY_CURSOR_KEY")
    environment.setenv("ACTIVITY_CURSOR_KEY_FILE", str(path))
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment()
    assert str(refused.value) == "ACTIVITY_CURSOR_KEY: must have at least 32 bytes"


@pytest.mark.parametrize(
    ("content", "value"), [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), (" a \n\n", " a \n")]
)
def test_one_line_end_does_not_count(tmp_path: Path, content: str, value: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content.encode())
    assert read_variable({"X_FILE": str(path)}, "X") == value


def test_an_empty_variable_is_none() -> None:
    assert read_variable({"X_FILE": "", "X": ""}, "X") is None
    assert read_variable({"X_FILE": "", "X": "a"}, "X") == "a"


def test_a_password_in_the_url_is_not_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("ACTIVITY_CLICKHOUSE_URL", f"http://user:{SECRET}@127.0.0.1:8123")
    assert SECRET not in repr(ClickHouseSettings())
    assert SECRET not in repr(Settings.from_environment())
    environment.setenv("ACTIVITY_CLICKHOUSE_URL", f"ftp://user:{SECRET}@127.0.0.1")
    with pytest.raises(SettingsError) as refused:
        Settings.from_environment()
    assert SECRET not in str(refused.value)


def test_an_argument_counts_first(environment: pytest.MonkeyPatch, secret_file: Path) -> None:
    environment.delenv("ACTIVITY_JWT_KEY")
    environment.setenv("ACTIVITY_JWT_KEY_FILE", str(secret_file))
    given = "an argument that is long enough for HS256"
    key = TokenSettings(key=SecretStr(given)).key
    assert key is not None
    assert key.get_secret_value() == given


def test_the_local_stack_reads_them_and_hands_on_the_values(
    environment: pytest.MonkeyPatch, secret_file: Path, tmp_path: Path
) -> None:
    for name in ("ACTIVITY_JWT_KEY", "ACTIVITY_CURSOR_KEY"):
        environment.delenv(name)
        environment.setenv(f"{name}_FILE", str(secret_file))
    secrets = Secrets.of(StateDirectory(tmp_path), with_clickhouse=True)
    for name, value in secrets.environment().items():
        environment.setenv(name, value)
    settings = Settings.from_environment()
    assert settings.cursor.key.get_secret_value() == SECRET
    assert existing(StateDirectory(tmp_path)).key == settings.tokens.key
    environment.setenv("ACTIVITY_JWT_KEY", "")
    environment.setenv("ACTIVITY_JWT_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(UserError, match="ACTIVITY_JWT_KEY_FILE: cannot read"):
        existing(StateDirectory(tmp_path))


@pytest.mark.parametrize(
    "program",
    [
        "activity_api serve",
        "activity_consume",
        "activity_deploy.migrate",
        "activity_deploy.cli keys list",
        "activity_deploy.cli dlq list",
        "activity_deploy.cli migrate",
        "activity_deploy.cli generate --rows 1",
    ],
)
def test_no_program_has_a_stack_trace_for_it(program: str, tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", *program.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={
            "ACTIVITY_CLICKHOUSE_PASSWORD_FILE": str(tmp_path / "missing"),
            "ACTIVITY_JWT_KEY": SECRET,
            "ACTIVITY_CURSOR_KEY": SECRET,
        },
    )
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert "ACTIVITY_CLICKHOUSE_PASSWORD_FILE: cannot read" in line
    assert SECRET not in line


async def test_an_emitter_waits_for_its_password(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A secret that is mounted late is a broker that is away, not the end of the sender."""
    environment.setenv("ACTIVITY_KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    environment.setenv("ACTIVITY_KAFKA_SASL_PASSWORD_FILE", str(tmp_path / "missing"))
    with pytest.raises(NotConnectedError, match="ACTIVITY_KAFKA_SASL_PASSWORD_FILE"):
        await KafkaSender(KafkaSettings(), KafkaSecuritySettings, {})._connected()
