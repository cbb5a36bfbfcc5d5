"""The fixtures every test may ask for; each module is about one thing."""

import os

import pytest
from hypothesis import HealthCheck, settings

# A busy machine is no fault of a test, and a fixture that is shared by the examples is meant.
settings.register_profile(
    "here",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("here")

pytest_plugins = [
    "tests.support.clickhouse",
    "tests.support.kafka",
    "tests.support.consumer",
    "tests.support.dlq",
    "tests.support.spans",
    "tests.support.browser",
]


@pytest.fixture(autouse=True, scope="session")
def _tally_dir(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What killed publishers leave behind is the tests', and not the machine's."""
    os.environ["ACTIVITY_SPOOL_TALLY_DIR"] = str(tmp_path_factory.mktemp("tally"))
