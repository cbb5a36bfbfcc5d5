"""The launcher: what it says when it cannot, in one line."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_deploy.errors import UserError
from activity_deploy.kafka.jars import fetch
from activity_deploy.kafka.java import java
from tests.integration.launcher import Launcher


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    return Launcher(tmp_path)


@pytest.fixture
def taken(launcher: Launcher) -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", launcher.ports["DEMO"]))
        listener.listen()
        yield launcher.ports["DEMO"]


async def test_a_port_in_use(launcher: Launcher, taken: int) -> None:
    assert await launcher.fails() == (
        f"activity: port {taken} for the demo service cannot be used (Address already in use);"
        " end what listens there, or set ACTIVITY_DEMO_PORT to another port"
    )


async def test_a_state_directory_that_is_not_ours(launcher: Launcher) -> None:
    launcher.state.mkdir()
    (launcher.state / "thesis.txt").write_text("important")
    assert "is not a state directory of this program" in await launcher.fails()
    (launcher.state / "VERSION").write_text("layout 0, Kafka 4.1.1\n")
    assert "was written by another version (layout 0, Kafka 4.1.1;" in await launcher.fails()
    (launcher.state / "VERSION").write_text("layout 1, Kafka 99.0.0\n")
    assert "`make clean` removes it" in await launcher.fails()


async def test_settings_that_cannot_be(launcher: Launcher) -> None:
    last = await launcher.fails({"ACTIVITY_API_PORT": "http"})
    assert last.startswith("activity: ACTIVITY_API_PORT: ")
    last = await launcher.fails({"ACTIVITY_CLICKHOUSE_URL": f"http://127.0.0.1:{unused(launcher)}"})
    assert "migrate ended with 1: migrate: no ClickHouse at 127.0.0.1" in last
    last = await launcher.fails(
        {"ACTIVITY_KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{unused(launcher)}"}
    )
    assert last.startswith("activity: Kafka at 127.0.0.1")


def unused(launcher: Launcher) -> int:
    return launcher.ports["API"]


async def test_no_java(launcher: Launcher, tmp_path: Path) -> None:
    kafka = {"ACTIVITY_TRANSPORT": "kafka"}
    last = await launcher.fails({"PATH": str(tmp_path), "JAVA_HOME": "", **kafka})
    assert last.startswith("activity: Kafka needs Java 17 or newer, and there is no `java` here;")
    last = await launcher.fails({"JAVA_HOME": str(tmp_path), **kafka})
    assert last.startswith(f"activity: JAVA_HOME is {tmp_path}, which has no bin/java;")


def test_no_maven_and_jars_that_cannot_be_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    settings = home / ".m2" / "settings.xml"
    settings.parent.mkdir(parents=True)
    settings.write_text("<settings><offline>true</offline></settings>")
    monkeypatch.setenv("MAVEN_OPTS", f"-Duser.home={home}")
    with pytest.raises(UserError, match=r"Maven could not fetch Kafka's jars: .*offline"):
        fetch(tmp_path / "jars")
    assert list((tmp_path / "jars").iterdir()) == []

    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(java().resolve())
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(UserError, match="there is no `mvn` here"):
        fetch(tmp_path / "jars")
