"""Tables on a terminal or in a pipe, in which nothing is cut that somebody may have to copy."""

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

_ANY_WIDTH = 1_000_000


def print_table(table: Table) -> None:
    """As wide as its cells: where the terminal is narrower, its lines go on in the next one."""
    console = Console()
    width = max(console.width, natural_width(table))
    Console(width=width).print(table)


def natural_width(table: Table) -> int:
    """Columns that it takes with every cell whole."""
    console = Console(width=_ANY_WIDTH)
    return Measurement.get(console, console.options, table).maximum
