"""Kafka to ClickHouse, each event once: read docs/adr/0001-delivery.md first.

records → Intake (judge, drop duplicates) → Batch → PartitionWriter → EventStore, then the commit.
"""
