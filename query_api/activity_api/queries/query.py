"""A statement for ClickHouse."""

from dataclasses import dataclass

from activity_api.queries.filter import Parameters


@dataclass(frozen=True, slots=True)
class Query:
    """One round trip: a statement with the values of its `{name:Type}` placeholders."""

    sql: str
    parameters: Parameters
