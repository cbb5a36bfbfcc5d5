"""Kafka to ClickHouse, each event once: read docs/adr/0001-delivery.md first.

records → BatchAccumulator (validate, drop duplicates) → Batch → PartitionWriter → ClickHouseSink,
then the commit.
"""
