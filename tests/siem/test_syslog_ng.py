"""`deploy/siem/syslog-ng.conf` in the real syslog-ng, which is killed at will: `make test-siem`."""

import asyncio
import functools
import json
import os
import shutil
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.integration.api.test_query_serve import serving
from tests.support.feed import at, write
from tests.support.query import bearer
from tests.support.wait import wait_until

CONFIG = Path(__file__).parents[2] / "deploy" / "siem" / "syslog-ng.conf"
EVENTS = 3000
PROGRAM = shutil.which("syslog-ng", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@pytest.mark.skipif(PROGRAM is None, reason="needs Debian's syslog-ng-core, syslog-ng-mod-python")
async def test_it_follows_the_feed_over_kills(
    clickhouse_url: str, database: str, clickhouse: AsyncClient, tmp_path: Path
) -> None:
    """At least once, each under its id, and after a kill not from the beginning."""
    to = tmp_path / "events.ndjson"

    def events() -> list[str]:
        text = to.read_text() if to.exists() else ""
        return [json.loads(line)["id"] for line in text[: text.rfind("\n") + 1].splitlines()]

    def has(least: int) -> bool:
        return len({*events()}) >= least

    environment = {"ACTIVITY_CLICKHOUSE_DATABASE": database}
    async with serving(tmp_path / "api.log", clickhouse_url, **environment) as api:
        told = {
            **os.environ,
            "API": str(api.client.base_url).rstrip("/"),
            "ORG": "o",
            "TOKEN": bearer("o")["authorization"].removeprefix("Bearer "),
            "TO": str(to),
        }
        options = ["--foreground", "--stderr", "--no-caps", f"--cfgfile={CONFIG}"]
        options += [f"--persist-file={tmp_path / 'persist'}", f"--control={tmp_path / 'ctl'}"]
        options += [f"--pidfile={tmp_path / 'pid'}"]

        async def follow() -> asyncio.subprocess.Process:
            with (tmp_path / "syslog-ng.log").open("ab") as log:
                return await asyncio.create_subprocess_exec(
                    *(str(PROGRAM), *options), env=told, stdout=log, stderr=log
                )

        def said() -> str:
            return (tmp_path / "syslog-ng.log").read_text()[-2000:]

        process, kills = await follow(), 0
        try:
            for begin in range(0, EVENTS, 600):
                rows = [at("o", n % 2, n // 2) for n in range(begin, begin + 600)]
                await write(clickhouse, *rows)
                await wait_until(functools.partial(has, begin + 1), 60, "it follows")
                assert process.returncode is None, said()
                process.kill()
                await process.wait()
                process, kills = await follow(), kills + 1
            await wait_until(functools.partial(has, EVENTS), 60, "it has them all")
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()
    # What was not yet acknowledged comes again; had it begun anew at each kill, it were more than
    # 1 + 601 + ... + 2401.
    assert kills == 5
    assert len(events()) - EVENTS < 6000
    assert len({*events()}) == EVENTS
