"""Seeded faults against the real pipeline, and for each protection a run without it."""
