"""`python -m tests.bench.ingest`, `python -m tests.bench.freshness`: figures against other ways."""
