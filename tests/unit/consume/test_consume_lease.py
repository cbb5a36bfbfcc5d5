"""The lease in a commit's metadata, and the server's clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_consume.delivery.lease import Lease, ServerClock

# What a broker takes as metadata by default, bytes.
_METADATA_LIMIT = 4096


@given(st.integers(0, 2**63), st.booleans(), st.integers(-1, 2**63))
def test_it_comes_back_as_it_was(until_ms: int, released: bool, written: int) -> None:
    lease = Lease(until_ms, released, written)
    assert Lease.decode(lease.encode()) == lease
    assert len(lease.encode()) < _METADATA_LIMIT


def test_its_form_is_part_of_the_protocol() -> None:
    """Two releases of the consumer read each other's."""
    assert Lease(1_767_322_800_123).encode() == (
        '{"activity":1,"lease":1767322800123,"released":false}'
    )
    assert Lease(5, True, 70).encode() == ('{"activity":1,"lease":5,"released":true,"written":70}')


@pytest.mark.parametrize(
    "metadata",
    [
        "",
        "committed by kafka-consumer-groups.sh",
        "null",
        "5",
        "[]",
        '"text"',
        "{}",
        '{"activity":1}',
        '{"activity":1,"lease":5}',
        '{"activity":1,"lease":null,"released":false}',
        '{"activity":1,"lease":"soon","released":false}',
        '{"activity":1,"lease":NaN,"released":false}',
        '{"activity":1,"lease":5,"released":false,"written":"x"}',
        '{"activity":2,"lease":5,"released":false}',
        '{"activity":1,"lease":5,"released":false',
    ],
)
def test_anybody_elses_metadata_is_no_lease(metadata: str) -> None:
    assert Lease.decode(metadata) is None


@given(st.text(max_size=200))
def test_any_text_is_no_lease(metadata: str) -> None:
    assert Lease.decode(metadata) is None


def test_the_servers_clock_goes_on_by_itself() -> None:
    here = 100.0
    clock = ServerClock(lambda: here)
    assert clock.age() == float("inf")
    clock.learn(1_767_322_800_000)
    here += 2.5
    assert clock.age() == 2.5
    assert clock.now_ms() == 1_767_322_802_500
    clock.learn(5)
    assert (clock.age(), clock.now_ms()) == (0, 5)
