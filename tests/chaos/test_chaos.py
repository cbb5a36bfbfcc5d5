"""A short selection of the faults; `make chaos` plays all of them with many seeds."""

from collections.abc import AsyncIterator

import pytest

from tests.chaos.__main__ import Outcome, control, play
from tests.chaos.faults import FAULTS, Fault
from tests.chaos.stack import Stack

SELECTION = (
    *("killed_insert_applied", "response_cut", "zombie"),
    *("emit_killed", "emit_sent_again"),
)
CONTROLS = ("response_cut", "zombie", "emit_sent_again")

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """One lane of the harness."""
    async with Stack(tmp_path_factory.mktemp("chaos")).running() as running:
        yield running


def _faults(names: tuple[str, ...]) -> list[Fault]:
    return [fault for fault in FAULTS if fault.name in names]


@pytest.mark.parametrize("fault", _faults(SELECTION), ids=lambda fault: fault.name)
async def test_nothing_is_lost_or_twice(stack: Stack, fault: Fault) -> None:
    outcome = Outcome()
    await play(stack, fault, 1, "", outcome)
    assert not outcome.errors
    assert outcome.events > 0
    assert outcome.tally.sum == 0, outcome.tally


@pytest.mark.parametrize("fault", _faults(CONTROLS), ids=lambda fault: fault.name)
async def test_without_the_protection_the_fault_shows(stack: Stack, fault: Fault) -> None:
    outcome = Outcome()
    await control(stack, fault, fault.controls[0], outcome)
    assert outcome.tally.sum > 0, outcome.errors
