"""ClickHouse's roles, enforced: the code's own statements under each role's grants and no others.

chDB has no CREATE ROLE, but enforces the grants, row policies and profile of a users.xml; that is
made of the same SQL files (tests/support/clickhouse_as.py). What a users.xml does not show:
test_clickhouse_roles_server.py.
"""

import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient
from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_api.auth.caller import READ
from activity_consume.dead_letter.model import Status
from activity_consume.dead_letter.poison_stops import PoisonRun, PoisonStop, PoisonStops
from activity_consume.dead_letter.repository import DeadLetterRepository
from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_consume.sink.incarnations import Incarnation, Incarnations
from activity_deploy.clickhouse_roles import analyst_statements, role_statements
from activity_deploy.keys.repository import KeyRepository
from activity_deploy.migration_run import migrate
from activity_deploy.process.ports import free_ports
from activity_deploy.process.process import Process
from activity_spool.progress import DIRECTORY
from activity_spool.spool import open_spool
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.clickhouse_as import as_user_of, write_config
from tests.support.consumer import event, message
from tests.support.query import api, bearer, insert, row, settings
from tests.support.records import refused_row
from tests.support.records import row as packed
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]
DATABASE = "activity"
PATIENCE_S = 60


class Store:
    """One data directory, as its owner and as each role in turn."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.key = ""

    @contextlib.asynccontextmanager
    async def serving(self, role: str | None, name: str = "data") -> AsyncIterator[str]:
        """Its URL. `role` None: may everything."""
        program: tuple[str, ...] = ("activity_deploy.clickhouse",)
        if role is not None:
            folder = self.directory / f"as-{role}"
            folder.mkdir()
            config = write_config(folder, role_statements(role, DATABASE))
            program = ("tests.support.clickhouse_as", str(config))
        server = ClickHouseServer(self.directory / name, program=program)
        await server.start()
        try:
            yield server.url
        finally:
            await server.stop()


@pytest.fixture(scope="module")
async def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("roles"))
    async with made.serving(None) as url:
        async with await connect(url, "default") as client:
            await migrate(client, DATABASE)
        async with await connect(url, DATABASE) as client:
            now = datetime.now(UTC)
            places = {"workspace_id": "w", "app_id": "a", "endpoint_id": "e", "user_id": "u"}
            places |= {"augmentation_id": "g", "resource_id": "r"}
            await insert(client, [row("acme", now, **places), row("other", now)])
            sink = ClickHouseSink(client)
            sent = [packed(n, message(event(org))) for n, org in enumerate(("acme", "other"))]
            await sink.insert(TopicPartition("s", 0), 0, await sink.now_ms() + 60_000, sent)
            made.key, _ = await KeyRepository(client).create("acme", "k", (READ,), None, None)
    return made


async def refused(client: AsyncClient, *statements: str) -> None:
    for statement in statements:
        with pytest.raises(ClickHouseError, match="Not enough privileges"):
            await client.command(statement)


async def test_the_consumer_needs_no_more_than_ingest(store: Store, tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "spool" / DIRECTORY, "a-service", 1 << 20)
    assert spool.append(b"\n".join([message(event()), b"no event", message(event())]), 3)
    spool.close()
    async with store.serving("ingest") as url, await connect(url, DATABASE) as client:
        environment = {
            "ACTIVITY_TRANSPORT": "spool",
            "ACTIVITY_SPOOL_DIR": str(tmp_path / "spool"),
            "ACTIVITY_CLICKHOUSE_URL": url,
            "ACTIVITY_CONSUMER_PORT": str(free_ports(1)[0]),
        }
        command = [sys.executable, "-m", "activity_consume"]
        consumer = Process("consumer", command, tmp_path / "consumer.log", environment)
        await consumer.start()

        async def written() -> bool:
            assert consumer.running, consumer.output()
            events = await client.command("SELECT count() FROM events WHERE producer_id = 'test'")
            letters = await client.command("SELECT count() FROM dead_letters FINAL")
            return (str(events), str(letters)) == ("4", "1")

        try:
            await wait_until(written, PATIENCE_S, "rows and dead letter are written")
        finally:
            await consumer.stop()
        assert "ACCESS_DENIED" not in "".join(consumer.output())
        # What only runs with Kafka.
        sink, place = ClickHouseSink(client), TopicPartition("t", 1)
        await sink.insert(place, 0, await sink.now_ms() + 60_000, [packed(7)])
        await sink.insert_parsable(
            place, 0, await sink.now_ms() + 60_000, [packed(8), refused_row(9)]
        )
        assert await sink.refusing(refused_row(9))
        assert await sink.existing_offsets(place, 0, 10) == {7, 8}
        assert not await sink.is_inserting(place)
        assert await sink.progress(place, 0) is not None
        await sink.ids(place, 10)
        await sink.edge_rows(place, 0, 9)
        assert not await sink.is_given_up(place, 0, "unreadable")
        await Incarnations(client).record(Incarnation("t", 1, "c", "i", 4))
        assert await Incarnations(client).latest("t") is not None
        await Incarnations(client).partitions_told("t")
        await PoisonStops(client).write(PoisonStop(PoisonRun(place, 0, 9, 10, "poison"), -1))
        assert await PoisonStops(client).find(place) is not None
        await refused(
            client,
            "SELECT * FROM api_keys",
            "SELECT * FROM file('/etc/passwd', 'LineAsString')",
            "SELECT * FROM url('http://127.0.0.1:9/', 'LineAsString')",
            "SELECT * FROM remote('127.0.0.1:9', 'system.one')",
            "ALTER TABLE events DELETE WHERE 1",
            "DROP TABLE events",
            "TRUNCATE TABLE events",
        )


async def test_the_api_needs_no_more_than_api(store: Store) -> None:
    paths = [
        *("activity", "activity/summary", "workspaces/w/activity", "workspaces/w/activity/summary"),
        *("users/u/activity", "users/u/activity/summary", "workspaces/w/apps/a/activity"),
        "workspaces/w/apps/a/endpoints/e/activity",
        "workspaces/w/apps/a/endpoints/e/activity/summary",
        *("workspaces/w/augmentations/g/activity", "workspaces/w/activity/actions/read"),
        *("workspaces/w/resources/r/activity", "workspaces/w/activity/search?min_duration_ms=0"),
        *("me/activity", "me/activity/summary"),
        *("activity/feed", "activity/feed?after=now&user_id=u"),
    ]
    async with store.serving("api") as url:
        async with api(settings(url, DATABASE)) as client:
            assert (await client.get("/readyz")).status_code == 200
            for headers in (bearer("acme", "u"), {"authorization": f"Bearer {store.key}"}):
                for path in paths:
                    answer = await client.get(f"/v1/orgs/acme/{path}", headers=headers)
                    assert answer.status_code == 200, (path, answer.text)
        async with await connect(url, DATABASE) as client_:
            await client_.query("SELECT days FROM retention")  # of a feed's old cursor
            await refused(
                client_,
                "SELECT * FROM dead_letters",
                "SELECT * FROM api_key_uses",
                "INSERT INTO events (org_id) VALUES ('x')",
                "INSERT INTO api_keys (id) VALUES ('x')",
                "SELECT * FROM file('/etc/passwd', 'LineAsString')",
                "SELECT * FROM remote('127.0.0.1:9', 'a.b')",
            )
    async with store.serving(None) as url, await connect(url, DATABASE) as client_:
        used = await client_.command("SELECT count() FROM api_key_uses")
    assert int(str(used)) >= 1


async def test_a_person_needs_no_more_than_operator(store: Store) -> None:
    async with store.serving("operator") as url, await connect(url, DATABASE) as client:
        keys = KeyRepository(client)
        _, made = await keys.create("acme", "night", (READ,), ("w",), timedelta(days=1))
        assert made.id in {one.id for one in await keys.records("acme")}
        await keys.revoke(made.id)
        letters = DeadLetterRepository(client)
        await letters.counts()
        await letters.drop(await letters.ids(Status.WAITING))
        await Incarnations(client).record(Incarnation("t2", 1, "c", "i", 4))
        await Incarnations(client).latest("t2")
        await PoisonStops(client).find(TopicPartition("t", 1))
        for view in ("event_gaps", "event_duplicates", "event_gap_metrics"):
            await client.query(f"SELECT * FROM {view}")
        # Neither by their names, nor in what was sent, nor under the names of rows without that.
        for column in ("path", "metadata", "trace_id", "event", "_trace_id", "_metadata", "model"):
            await refused(client, f"SELECT {column} FROM events")
        await refused(client, "INSERT INTO events (org_id) VALUES ('x')")


async def test_migrations_need_no_more_than_migrate(store: Store) -> None:
    async with store.serving("migrate", "empty") as url:
        for said in ("migrate: applied", "is up to date"):
            environment = {"ACTIVITY_CLICKHOUSE_URL": url, "ACTIVITY_CLICKHOUSE_DATABASE": DATABASE}
            command = [sys.executable, "-m", "activity_deploy.migrate"]
            process = Process("migrate", command, store.directory / "migrate.log", environment)
            await process.start()
            assert await process.wait() == 0, process.output()
            assert said in process.output()[-1]
        async with await connect(url, DATABASE) as client:
            await refused(client, "CREATE DATABASE another", "DROP DATABASE activity")


def orgs_of(table: str) -> str:
    return f"SELECT arrayStringConcat(groupUniqArray(org_id), ' ') FROM {DATABASE}.{table}"


VIEWS = ("activity", "activity_hourly", "sessions")


@pytest.mark.parametrize(("orgs", "seen"), [(["acme"], "acme"), ([], ""), (["o' OR '1"], "")])
def test_an_analyst_sees_one_org(store: Store, orgs: list[str], seen: str, tmp_path: Path) -> None:
    statements = [*role_statements("analyst", DATABASE)]
    for org in orgs:
        statements += analyst_statements(org, DATABASE)
    config = write_config(tmp_path, statements)
    asked = {
        f"SELECT DISTINCT org_id FROM {DATABASE}.events": seen,
        **{orgs_of(view): seen for view in VIEWS},
        # What was sent is a column like any other.
        f"SELECT count() > 0 FROM {DATABASE}.events WHERE event != ''": "1" if seen else "0",
        f"SELECT count() FROM {DATABASE}.events WHERE position(event, 'other') > 0": "0",
        f"SELECT countIf(path LIKE '%other%') FROM {DATABASE}.activity": "0",
        f"SELECT count() FROM {DATABASE}.event_duplicates WHERE org_id != 'acme'": "0",
        f"SELECT count() FROM {DATABASE}.model_prices": "0",
        # Of all orgs together only; messages may be anybody's.
        f"SELECT * FROM {DATABASE}.event_gaps": "ACCESS_DENIED",
        f"SELECT * FROM {DATABASE}.dead_letters_current": "ACCESS_DENIED",
        "SET readonly = 0": "READONLY",
        "SET max_execution_time = 0": "READONLY",
        "SELECT getSetting('max_execution_time')": "60",
        f"SELECT * FROM {DATABASE}.dead_letters": "ACCESS_DENIED",
        f"SELECT * FROM {DATABASE}.api_keys": "ACCESS_DENIED",
        f"INSERT INTO {DATABASE}.events (org_id) VALUES ('acme')": "READONLY",
        "SELECT * FROM file('/etc/passwd', 'LineAsString')": "ACCESS_DENIED",
    }
    answers = as_user_of(config, store.directory / "data", asked)
    either = {"READONLY", "ACCESS_DENIED"}  # either is enough
    for statement, expected in asked.items():
        found = answers[statement]
        assert found == expected or {found, expected} <= either, (statement, found)


def test_a_platform_analyst_sees_all_orgs_and_writes_nothing(store: Store, tmp_path: Path) -> None:
    statements = [
        *role_statements("analyst", DATABASE),
        *role_statements("platform_analyst", DATABASE),
    ]
    config = write_config(tmp_path, statements)
    asked = {f"SELECT uniq(org_id) > 1 FROM {DATABASE}.{view}": "1" for view in VIEWS[:2]}
    for view in ("event_gaps", "dead_letters_current", "event_duplicates"):
        asked[f"SELECT count() >= 0 FROM {DATABASE}.{view}"] = "1"
    for table in ("api_keys", "erasures", "holds"):
        asked[f"SELECT * FROM {DATABASE}.{table}"] = "ACCESS_DENIED"
    asked[f"INSERT INTO {DATABASE}.model_prices (model) VALUES ('m')"] = "ACCESS_DENIED"
    assert as_user_of(config, store.directory / "data", asked) == asked
