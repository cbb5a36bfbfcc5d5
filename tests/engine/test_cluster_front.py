"""A message that goes in by a cluster's table `events`: the table in front reads the columns of it,
to know its shard, and the shard has them all. The shard is this process; over the wire:
test_cluster_server.py."""

from pathlib import Path

from activity_consume.record import TopicPartition
from activity_consume.sink.clickhouse import ClickHouseSink
from activity_deploy.cluster import SHARDED
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import ClickHouseServer, connect
from tests.support.clickhouse_as import write_config
from tests.support.consumer import event, message
from tests.support.records import refused_row, row

_CLUSTER = (
    "<tcp_port>9000</tcp_port><remote_servers><main><shard><replica><host>127.0.0.1</host>"
    "<port>9000</port></replica></shard></main></remote_servers>"
)
PLACE = TopicPartition("events", 3)


async def test_a_message_by_the_table_in_front(tmp_path: Path) -> None:
    config = write_config(tmp_path, ["GRANT ALL ON *.* TO everybody"])
    config.write_text(config.read_text().replace("</clickhouse>", f"{_CLUSTER}</clickhouse>"))
    program = ("tests.support.clickhouse_as", str(config))
    server = ClickHouseServer(tmp_path / "data", program=program)
    await server.start()
    try:
        async with await connect(server.url, "default") as client:
            await migrate(client, "activity")
        async with await connect(server.url, "activity") as client:
            # As activity_deploy/cluster.py does it, but on one node.
            await client.command("RENAME TABLE events TO events_local")
            await client.command(
                "CREATE TABLE events AS events_local"
                f" ENGINE = Distributed(main, currentDatabase(), events_local, {SHARDED['events']})"
            )
            client.set_client_setting("distributed_foreground_insert", 1)
            sink = ClickHouseSink(client)
            sent = event("acme", trace_id="t", metadata={"model": "m"}, token_usage={"total": 7})
            lease = await sink.now_ms() + 60_000
            await sink.insert(PLACE, 0, lease, [row(0, message(sent))])
            await sink.insert_parsable(PLACE, 0, lease, [row(1, message(sent)), refused_row(2)])
            for table in ("events", "events_local"):
                found = await client.query(
                    "SELECT toString(id), org_id, trace_id, metadata, model, tokens, event != '',"
                    f" _offset FROM {table} ORDER BY _offset"
                )
                told = (sent["id"], "acme", "t", '{"model": "m"}', "m", 7, 1)
                assert found.result_rows == [(*told, 0), (*told, 1)]
            assert await sink.existing_offsets(PLACE, 0) == {0, 1}
    finally:
        await server.stop()
