"""`activity serve` with a setting of the emitter that cannot be: said at the start."""

import pytest
from pydantic import ValidationError

from activity_deploy.reading.app import serve
from activity_deploy.settings import explain
from tests.support.query import KEY


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ACTIVITY_READING_WINDOW_S", "0", "greater than 0"),
        ("ACTIVITY_EMIT_QUEUE_SIZE", "many", "valid integer"),
        ("ACTIVITY_KAFKA_SECURITY_PROTOCOL", "TLS", "'PLAINTEXT', 'SSL'"),
        ("ACTIVITY_SPOOL_MAX_BYTES", "much", "valid integer"),
    ],
)
def test_it_is_one_line(name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_JWT_KEY", KEY)
    monkeypatch.setenv("ACTIVITY_CURSOR_KEY", KEY)
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as refused:
        serve()
    (line,) = explain(refused.value)
    assert line.startswith(f"{name}: ")
    assert words in line


def test_a_missing_secret_of_the_api_is_said_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("ACTIVITY_CURSOR_KEY", raising=False)
    monkeypatch.setenv("ACTIVITY_JWT_KEY", KEY)
    assert serve() == 2
    assert "ACTIVITY_CURSOR_KEY: field required" in capsys.readouterr().err
