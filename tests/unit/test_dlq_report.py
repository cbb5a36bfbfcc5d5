"""What `activity dlq` prints: nothing that has to be copied is ever cut."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from activity_consume.dead_letter.model import DeadLetterId, Status, StoredDeadLetter, Summary
from activity_consume.dead_letter.repository import Count
from activity_deploy.dlq.json_lines import json_line
from activity_deploy.dlq.report import print_counts, print_list
from activity_deploy.local.tables import print_table

BORN = datetime(2026, 7, 1, 12, 0, 0, 123_000, UTC)
ID = DeadLetterId("a-topic-with-" + "a-very-" * 30 + "long.name", 65535, 2**63 - 1)


def summary(detail: str) -> Summary:
    reason = "unsupported_schema_version"
    return Summary(ID, reason, detail, Status.WAITING, BORN, 12)


@pytest.mark.parametrize("columns", ["1", "20", "80", "1000"])
@pytest.mark.parametrize("terminal", ["0", "1"])
def test_an_id_is_whole_at_any_width(
    columns: str, terminal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", terminal)
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    print_list([summary("a detail " * 100), summary("[red]short")], 5)
    printed = capsys.readouterr().out
    assert printed.count(str(ID)) == 2
    assert printed.count("unsupported_schema_version") == 2
    assert "[red]short" in printed
    assert printed.endswith("2 of 5 dead letters\n")
    assert ("a detail " * 100 in printed) == (terminal == "0")


def test_any_table_is_as_wide_as_it_must(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    table = Table(title="of some")
    table.add_column("id", no_wrap=True)
    table.add_column("other", no_wrap=True)
    table.add_row("x" * 256, "y" * 256)
    print_table(table)
    printed = capsys.readouterr().out
    assert "x" * 256 in printed
    assert "y" * 256 in printed


def test_counts(capsys: pytest.CaptureFixture[str]) -> None:
    print_counts([Count("null_value", Status.WAITING, 12), Count("null_value", Status.DROPPED, 3)])
    assert capsys.readouterr().out.endswith("15 dead letters\n")
    print_counts([])
    assert capsys.readouterr().out == "0 dead letters\n"


content = st.none() | st.binary(max_size=50) | st.text(max_size=9).map(lambda t: t.encode("utf-8"))


@given(content, content, st.lists(st.tuples(st.text(max_size=5), content), max_size=3))
def test_a_json_line_has_every_byte(
    key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes | None]]
) -> None:
    letter = StoredDeadLetter(
        *(ID, "invalid_event", "a\nb", Status.WAITING, BORN, BORN),
        *(key, value, tuple(headers)),
    )
    line = json_line(letter)
    assert "\n" not in line
    read = json.loads(line)
    assert (read["id"], read["topic"], read["partition"]) == (str(ID), ID.topic, 65535)
    assert (read["offset"], read["timestamp"]) == (2**63 - 1, "2026-07-01T12:00:00.123Z")
    assert (read["status"], read["status_since"], read["detail"]) == ("waiting", None, "a\nb")
    pairs = [(read["key"], read["key_base64"], key), (read["value"], read["value_base64"], value)]
    for (name, given_), header in zip(headers, read["headers"], strict=True):
        assert header["name"] == name
        pairs.append((header["value"], header["value_base64"], given_))
    for text, encoded, given_ in pairs:
        assert (None if encoded is None else base64.b64decode(encoded)) == given_
        assert text is None or text.encode() == given_


def test_what_was_dealt_with_says_since_when() -> None:
    replayed = StoredDeadLetter(ID, "x", "", Status.REPLAYED, BORN, BORN, None, b"\xff", ())
    read = json.loads(json_line(replayed))
    assert (read["status"], read["status_since"]) == ("replayed", "2026-07-01T12:00:00.123Z")
    assert (read["value"], read["value_base64"]) == (None, "/w==")
