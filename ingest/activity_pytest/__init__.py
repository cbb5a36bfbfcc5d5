"""pytest's fixture `recorded_activity`. pytest imports this at its start, in every project: it is a
package of its own so that nothing else is imported before a test asks for the fixture."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from activity_emit.testing import RecordedEvents


@pytest.fixture
def recorded_activity() -> "Iterator[RecordedEvents]":
    """The activity events of the test, see `activity_emit.testing.recorded`."""
    from activity_emit.testing import recorded  # noqa: PLC0415 - see above

    with recorded() as events:
        yield events
