"""A record is one line that nobody but us has written, with the ids of its request."""

import json
import logging
import os
import subprocess
import sys
from typing import Any

import pytest
from pydantic import ValidationError

from activity_telemetry.context import bound, trace_id_of
from activity_telemetry.logs import OneLine
from activity_telemetry.settings import LogSettings

TRACE = "0af7651916cd43dd8448eb211c80319c"
#: What a client may send to have a line of its own in the log, or to be obeyed by a terminal.
ATTACKS = [
    *("a\nb", "a\r\nb", "a\rb", "a\x0bb", "a\x0cb", "a\x85b", "a\u2028b", "a\u2029b"),
    *("\x1b[2Jb", "a\x00b", "a\x9bb", "a\x7fb", "a\ud800b", 'a","level":"CRITICAL'),
]


def record(text: str, *values: object, **more: Any) -> logging.LogRecord:
    one = logging.LogRecord("activity_api.x", logging.WARNING, "f", 1, text, values, None)
    one.__dict__.update(more)
    return one


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("as_json", [False, True])
def test_whatever_is_logged_is_one_line_of_printable_characters(attack: str, as_json: bool) -> None:
    formatter = OneLine(as_json=as_json)
    facts = {"path": attack, "list": [attack]}
    failed = (ValueError, ValueError(attack), None)
    for one in (record("%s", attack), record(attack), record("x", facts=facts, exc_info=failed)):
        line = formatter.format(one)
        assert len(line.splitlines()) == 1
        assert line.isprintable()
        line.encode()  # no lone surrogate
        if as_json:
            assert json.loads(line)["level"] == "WARNING"


def test_json_has_the_same_fields_each_time_and_no_fact_takes_their_place() -> None:
    facts = {"status": 200, "level": "forged", "request_id": "forged", "time": "forged"}
    with bound("r-1", TRACE):
        line = json.loads(OneLine(as_json=True).format(record("said %d", 1, facts=facts)))
    assert line["time"].endswith("Z")
    del line["time"]
    assert line == {
        "level": "WARNING",
        "logger": "activity_api.x",
        "message": "said 1",
        "request_id": "r-1",
        "trace_id": TRACE,
        "status": 200,
    }


def test_an_exceptions_stack_is_one_field() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        failed = sys.exc_info()
    text = OneLine(as_json=True).format(record("failed", exc_info=failed))
    line = json.loads(text)
    assert line["message"] == "failed: ValueError('a\\nb')"
    assert "test_logs.py" in line["stack"]
    assert "\n" not in text


def test_text_has_the_ids_at_its_end() -> None:
    formatter = OneLine("%(message)s")
    with bound("r-1", ""):
        assert formatter.format(record("said")) == "said request_id=r-1"
    assert formatter.format(record("said")) == "said"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (f"00-{TRACE}-b7ad6b7169203331-01", TRACE),
        (f"00-{TRACE}-b7ad6b7169203331", ""),
        (f"ff-{TRACE}-b7ad6b7169203331-01", ""),
        (f"00-{'0' * 32}-b7ad6b7169203331-01", ""),
        (f"00-{TRACE.upper()}-b7ad6b7169203331-01", ""),
        ("", ""),
    ],
)
def test_the_trace_of_a_header(header: str, found: str) -> None:
    assert trace_id_of(header.encode()) == found


def test_levels_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIVITY_LOG_LEVEL", "debug")
    assert LogSettings().level == "DEBUG"
    monkeypatch.setenv("ACTIVITY_LOG_LEVEL", "loud")
    with pytest.raises(ValidationError):
        LogSettings()


@pytest.mark.parametrize(
    "program",
    [
        ("activity_consume", "consume"),
        ("activity_api", "serve"),
        ("activity_deploy.demo",),
        ("activity_deploy.clickhouse", "--path", "/nonexistent"),
        ("activity_deploy.cli", "consume"),
        ("activity_deploy.cli", "serve"),
    ],
)
def test_a_wrong_value_is_one_line_at_the_start(program: tuple[str, ...]) -> None:
    key = "k" * 32
    done = subprocess.run(
        [sys.executable, "-m", *program],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={
            **os.environ,
            "ACTIVITY_JWT_KEY": key,
            "ACTIVITY_CURSOR_KEY": key,
            "ACTIVITY_LOG_LEVEL": "shout",
        },
    )
    assert done.returncode in (1, 2)
    [line] = done.stderr.splitlines()
    assert "LEVEL" in line.upper()
    assert "Traceback" not in done.stderr
