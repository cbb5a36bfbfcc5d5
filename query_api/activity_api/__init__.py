"""The way out: fifteen read endpoints over the `events` table."""
