"""The ClickHouse engine (chDB) behind ClickHouse's HTTP protocol, for one machine without Docker.

`python -m activity_deploy.clickhouse --path DIR --port 8123`. Production uses a ClickHouse server;
the code that reads and writes has one client, clickhouse_connect over HTTP, and cannot tell the
two apart.
"""
