"""An insert that a test breaks off may still end later: each test has a database of its own."""

from tests.support.clickhouse import database

__all__ = ["database"]
