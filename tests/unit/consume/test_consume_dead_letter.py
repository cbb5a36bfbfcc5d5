"""A dead letter's name, and which letters a command line means."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from activity_consume.dead_letter.model import DeadLetterId, Status, Summary
from activity_deploy.dlq import commands as dlq
from activity_deploy.dlq.report import print_list, printable
from activity_deploy.errors import UserError
from activity_deploy.forget.holds import Hold
from activity_deploy.forget.tables import print_holds

topics = st.text("abcXYZ019._-", min_size=1, max_size=249)


@given(topics, st.integers(0, 2**16 - 1), st.integers(0, 2**63 - 1))
def test_a_name_comes_back(topic: str, partition: int, offset: int) -> None:
    id_ = DeadLetterId(topic, partition, offset)
    assert DeadLetterId.parse(str(id_)) == id_


@pytest.mark.parametrize(
    "text",
    [
        *("", "events", "events/0", "/0/1", "events/0/", "events//1", "events/0/x", "events/0/-1"),
        *("events/0/1.0", "events/ 0/1", "events/0/\u0661", "events/65536/1", f"events/0/{2**63}"),
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="it is written TOPIC/PARTITION/OFFSET"):
        DeadLetterId.parse(text)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("show", "events"), "'events' is no dead letter's id; it is written TOPIC/PARTITION"),
        (("drop", "events/x/1"), "'events/x/1' is no dead letter's id"),
        (("replay",), "name dead letters (TOPIC/PARTITION/OFFSET), or say --all"),
        (("drop", "--all", "events/0/1"), "name dead letters (TOPIC/PARTITION/OFFSET), or say"),
        (("drop", "events/0/1", "--reason", "null_value"), "--reason goes with --all"),
    ],
)
def test_a_command_line_that_says_nothing_certain(arguments: tuple[str, ...], says: str) -> None:
    result = CliRunner().invoke(dlq.app, arguments)
    assert isinstance(result.exception, UserError)
    assert str(result.exception).startswith(says)


def test_a_terminal_obeys_no_message() -> None:
    assert printable(None) == "null"
    assert printable("grün 😀\n\ttab".encode()) == "grün 😀\n\ttab"
    assert printable(b"\x1b[2J\x07\xff\x00\xc2\x9b1m\r") == r"\x1b[2J\x07\xff\x00\x9b1m\r"


STEERING = "\x1b]0;owned\x07\x1b[2J\u202e"


def test_no_table_steers_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Engines and producers quote what was sent; reasons and names are typed by anybody."""
    at = datetime(2026, 3, 4, tzinfo=UTC)
    id_ = DeadLetterId(f"topic{STEERING}", 0, 1)
    summary = Summary(id_, "malformed_json", STEERING, Status.WAITING, at, 3)
    print_list([summary], 1)
    print_holds([Hold("h", STEERING, STEERING, STEERING, STEERING, at, STEERING, at)])
    shown = capsys.readouterr().out
    assert "\\x1b]0;owned\\x07" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_a_letter_of_an_accepted_topic_goes_back_to_the_topic_that_kafka_knows() -> None:
    letter = DeadLetterId.parse("activity.events.v1#2/3/17")
    assert (letter.kafka_topic, letter.partition, letter.offset) == ("activity.events.v1", 3, 17)
    assert str(letter) == "activity.events.v1#2/3/17"
    assert DeadLetterId.parse("activity.events.v1/3/17").kafka_topic == "activity.events.v1"
