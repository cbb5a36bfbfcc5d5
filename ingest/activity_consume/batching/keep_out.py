"""Taking out of a batch what has been erased since it was filled. No I/O."""

from collections.abc import Sequence
from dataclasses import replace

from activity_consume.batching.batch import Batch
from activity_consume.batching.rows import PackedRows, Row
from activity_consume.erasure.rules import KeptOut, Rules, facts_of, kept_out, micros


def keep_out(
    batch: Batch, rows: Sequence[Row | PackedRows], rules: Rules
) -> tuple[list[Row | PackedRows], list[KeptOut]]:
    """Those of `rows`, which are rows of the batch, that may still be written, and what was taken
    out; also of the batch's copies and dead letters, if they are not written yet."""
    found: list[KeptOut] = []
    left: list[Row | PackedRows] = []
    for one in rows:
        if isinstance(one, Row):
            left += [] if _is_covered(one, rules, found) else [one]
        elif len(packed := _without_covered(one, rules, found)):
            left.append(packed)
    batch.count -= len(found)
    copies: list[KeptOut] = []
    for id_, some in batch.copies.items():
        batch.copies[id_] = [row for row in some if not _is_covered(row, rules, copies)]
    batch.duplicates -= len(copies)
    return left, [*found, *copies]


def keep_out_letters(batch: Batch, rules: Rules) -> list[KeptOut]:
    """Takes them out of the batch's dead letters, none of which is written yet."""
    found: list[KeptOut] = []
    left = []
    for letter in batch.dead:
        record = letter.record
        known = rules.why_of_message(record.key, record.value, record.timestamp)
        if known:
            found.append(known)
        else:
            left.append(letter)
    batch.dead[:] = left
    return found


def _without_covered(packed: PackedRows, rules: Rules, found: list[KeptOut]) -> PackedRows:
    places = {
        place
        for place, row in zip(_places(packed), packed.rows(), strict=True)
        if _is_covered(row, rules, found)
    }
    return replace(packed, skipped=packed.skipped | places) if places else packed


def _places(packed: PackedRows) -> list[int]:
    return [place for place in range(len(packed.offsets)) if place not in packed.skipped]


def _is_covered(row: Row, rules: Rules, found: list[KeptOut]) -> bool:
    facts = facts_of(row.json)
    why = rules.why(facts)
    if why:
        found.append(kept_out(why, facts, micros(facts.timestamp) or 0))
    return bool(why)
