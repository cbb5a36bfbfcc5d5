"""What goes from one partition into the table by one insert, and to the dead letters."""

from dataclasses import dataclass, field

from activity_consume.batching.rows import PackedRows, Row
from activity_consume.dead_letter.model import DeadLetter
from activity_consume.erasure.rules import KeptOut, Rules


@dataclass(slots=True)
class Batch:
    """Every offset in `[base_offset, next_offset)`: a row, a dead letter, or settled already."""

    base_offset: int
    next_offset: int
    #: Unix seconds.
    opened_at: float = 0.0
    #: Events to be written as they came, and all others.
    packed: list[PackedRows] = field(default_factory=list)
    singles: list[Row] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    #: Ids of `singles` that the table is asked for; they are not in the window of ids.
    needs_lookup: set[str] = field(default_factory=set)
    #: Events that are here or in the batch before under the same id, by it: they are duplicates,
    #: unless that one is refused.
    copies: dict[str, list[Row]] = field(default_factory=dict)
    #: Offsets of events that were known already: of several in a row, the first.
    known: list[int] = field(default_factory=list)
    #: Events in `packed` and `singles`.
    count: int = 0
    #: Bytes in memory, roughly.
    size: int = 0
    #: Events that were here already, under the same id.
    duplicates: int = 0
    #: What was forgotten, and has come (again): settled without a word.
    kept_out: list[KeptOut] = field(default_factory=list)
    #: The list that all of the batch was compared with; None: parts of it with different ones.
    checked: Rules | None = None

    @property
    def rows(self) -> list[Row]:
        """All events one by one, in the order of their offsets."""
        rows = [row for packed in self.packed for row in packed.rows()]
        return sorted([*rows, *self.singles], key=lambda row: row.offset)

    def pass_known(self, offset: int) -> None:
        """An event that is not written, because it was before."""
        after_all = not self.known or self._last_row() > self.known[-1]
        if after_all:
            self.known.append(offset)

    def revive(self, copies: list[Row]) -> Row:
        """The first copy of an event, which counted as a duplicate."""
        self.count += 1
        self.duplicates -= 1
        return copies.pop(0)

    def events(self) -> list[int]:
        """The offsets of what is an event, or is one for all that is known; in no order."""
        packed = [offset for packed in self.packed for offset in packed.offsets]
        return [*packed, *(row.offset for row in self.singles), *self.known]

    def _last_row(self) -> int:
        ends = [packed.offsets[-1] for packed in self.packed[-1:]]
        ends += [row.offset for row in self.singles[-1:]]
        return max([*ends, *(letter.record.offset for letter in self.dead[-1:])], default=-1)
