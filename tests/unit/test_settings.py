"""Settings as people write them."""

import pytest

from activity_consume.settings import ConsumerSettings
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


@pytest.mark.parametrize(
    ("interval_s", "session_s", "ms"), [(0.5, 10, 500), (0.5, 1, 250), (3, 10, 2500), (3, 60, 3000)]
)
def test_a_member_is_not_out_for_one_late_heartbeat(
    interval_s: float, session_s: float, ms: int
) -> None:
    settings = ConsumerSettings(heartbeat_interval_s=interval_s, session_timeout_s=session_s)
    assert settings.heartbeat_ms == ms


def test_a_rebalance_is_noticed_soon_by_default() -> None:
    """All members wait for the last that notices: of the 5 s that an update may take, a tenth."""
    assert ConsumerSettings().heartbeat_ms == 500
