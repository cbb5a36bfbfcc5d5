"""The way in: what services emit with (`ingest.emit`) and what carries it into ClickHouse."""
