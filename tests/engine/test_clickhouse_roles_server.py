"""ClickHouse's roles on a server, where `ACTIVITY_TEST_CLICKHOUSE_URL` names one: that it takes the
statements, and the quota. What the roles may: test_clickhouse_roles.py."""

import os
from dataclasses import replace
from datetime import UTC, datetime

import httpx
from pydantic import SecretStr

from activity_deploy.clickhouse_roles import apply
from activity_deploy.migration_run import migrate
from tests.engine.test_clickhouse_roles import DATABASE, VIEWS, orgs_of
from tests.support.clickhouse import connect
from tests.support.query import api, bearer, insert, row, settings

SERVER = os.environ.get("ACTIVITY_TEST_CLICKHOUSE_URL", "")
if SERVER:

    async def test_a_server_takes_the_roles_and_holds_them() -> None:
        async with await connect(SERVER, "default") as owner:
            await migrate(owner, DATABASE)
            for _ in range(2):
                await apply(owner, DATABASE, ["acme", "o'`x"])
            for role in ("api", "ingest", "operator", "migrate", "analyst_acme"):
                user = f"test_{role}"
                await owner.command(f"CREATE USER OR REPLACE {user} IDENTIFIED BY 'word'")
                await owner.command(f"GRANT activity_{role} TO {user}")
            rows = [row("acme", datetime.now(UTC)), row("other", datetime.now(UTC))]
            async with await connect(SERVER, DATABASE) as client:
                await insert(client, rows)
            url = httpx.URL(SERVER).copy_with(userinfo=b"")
            async with httpx.AsyncClient() as http:
                answer = await http.post(
                    url,
                    params={"database": DATABASE},
                    auth=("test_analyst_acme", "word"),
                    content="SELECT DISTINCT org_id FROM events",
                )
                assert answer.text.strip() == "acme"
                for view in VIEWS:
                    answer = await http.post(
                        url,
                        params={"database": DATABASE},
                        auth=("test_analyst_acme", "word"),
                        content=orgs_of(view),
                    )
                    assert answer.text.strip() == "acme"
            configured = settings(str(url), DATABASE)
            login = configured.clickhouse.model_copy(
                update={"user": "test_api", "password": SecretStr("word")}
            )
            async with api(replace(configured, clickhouse=login)) as client_:
                answer = await client_.get("/v1/orgs/acme/activity", headers=bearer("acme"))
                assert answer.status_code == 200
