"""Settings as people write them."""

import pytest

from activity_kafka.settings import KafkaSettings


@pytest.mark.parametrize(
    ("written", "servers"),
    [
        ("a:1", ["a:1"]),
        ("a:1,b:2", ["a:1", "b:2"]),
        (" a:1 , b:2, ", ["a:1", "b:2"]),
    ],
)
def test_several_bootstrap_servers_are_several(written: str, servers: list[str]) -> None:
    assert KafkaSettings(bootstrap_servers=written).servers == servers
