"""What starts the parts on one machine: Kafka, the ClickHouse engine, migrations, `make run`."""
