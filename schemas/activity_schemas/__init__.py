"""What both sides agree on: the event, the API's answers, the error body.

Imports pydantic and the standard library, nothing else: `ingest → schemas ← query_api`.
"""
