"""What is in the tables, for people: ClickHouse's comments, and docs/data.md."""
