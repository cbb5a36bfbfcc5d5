"""SQLite, where this Python has it. Without it there is no spool, and a service that works."""

try:
    import sqlite3
except ImportError:
    sqlite3 = None  # type: ignore[assignment]

__all__ = ["sqlite3"]
