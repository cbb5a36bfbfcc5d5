"""The durable spool: its file format, its lock and its reader's progress, known to both sides."""
