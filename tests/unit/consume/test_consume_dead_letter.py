"""A dead letter's name, and which letters a command line means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from activity_consume.dead_letter.model import DeadLetterId
from activity_deploy.dlq import commands as dlq
from activity_deploy.dlq.report import printable
from activity_deploy.errors import UserError

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


def test_a_letter_of_an_accepted_topic_goes_back_to_the_topic_that_kafka_knows() -> None:
    letter = DeadLetterId.parse("activity.events.v1#2/3/17")
    assert (letter.kafka_topic, letter.partition, letter.offset) == ("activity.events.v1", 3, 17)
    assert str(letter) == "activity.events.v1#2/3/17"
    assert DeadLetterId.parse("activity.events.v1/3/17").kafka_topic == "activity.events.v1"
