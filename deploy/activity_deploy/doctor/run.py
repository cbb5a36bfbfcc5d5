"""All checks, side by side."""

import asyncio
from collections.abc import Collection
from typing import TypeVar

from clickhouse_connect.driver import options
from pydantic import ValidationError
from pydantic_settings import BaseSettings

from activity_api.settings import ServerSettings
from activity_consume.settings import ClickHouseSettings, ConsumerSettings
from activity_deploy.doctor.clickhouse_checks import check_clickhouse
from activity_deploy.doctor.finding import Finding, bounded, ok, skipped
from activity_deploy.doctor.kafka_checks import check_kafka
from activity_deploy.doctor.page_checks import check_page
from activity_deploy.doctor.settings_checks import check_settings
from activity_kafka.settings import KafkaSettings, TransportSettings

_Settings = TypeVar("_Settings", bound=BaseSettings)


async def examine(found: Collection[str], *, every: bool) -> list[Finding]:
    """What there is to be said, in the order of the pipeline. `found`, `every`: see
    check_settings."""
    # clickhouse_connect loads pandas, where there is one, at its first query: here nobody waits.
    getattr(options, "pd", None)
    findings = check_settings(found, every=every)
    transport = _read(TransportSettings)
    if transport is not None and transport.transport == "spool":
        kafka = _none([ok("broker", "none: ACTIVITY_TRANSPORT is spool")])
    else:
        kafka = _kafka(_read(KafkaSettings))
    parts = await asyncio.gather(
        kafka,
        _clickhouse(_read(ClickHouseSettings)),
        _page("consumer", _read(ConsumerSettings), "ACTIVITY_CONSUMER", "activity consume"),
        _page("api", _read(ServerSettings), "ACTIVITY_API", "activity serve"),
    )
    return findings + [one for part in parts for one in part]


async def _none(findings: list[Finding]) -> list[Finding]:
    return findings


async def _kafka(settings: KafkaSettings | None) -> list[Finding]:
    if settings is None:
        return [skipped("broker", "its settings are wrong")]
    return await check_kafka(settings)


async def _clickhouse(settings: ClickHouseSettings | None) -> list[Finding]:
    if settings is None:
        return [skipped("engine", "its settings are wrong")]
    return await check_clickhouse(settings)


async def _page(
    part: str, settings: ConsumerSettings | ServerSettings | None, prefix: str, start: str
) -> list[Finding]:
    if settings is None:
        return [skipped(part, "its settings are wrong")]
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    variable = f"{prefix}_HOST and {prefix}_PORT"
    return await bounded(part, variable, lambda: check_page(part, url, variable, start))


def _read(model: type[_Settings]) -> _Settings | None:
    """None: said by the settings' own check."""
    try:
        return model()
    except (ValidationError, ValueError):
        return None
