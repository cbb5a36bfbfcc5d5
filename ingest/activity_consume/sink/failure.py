"""What the engine's error says of an insert."""

import re

from clickhouse_connect.driver.exceptions import ClickHouseError

from activity_consume.errors import InsertFailure

#: The one that a zombie's insert is refused by: no fault of its rows.
LEASE_CONSTRAINT = "lease_is_valid"

# The data does not fit, whoever sends it again: parse errors, types, ranges, limits of a value, and
# what an operator's own expressions throw.
_DATA_CODES = frozenset(
    (6, 20, 25, 26, 27, 38, 41, 43, 53, 69, 70, 72, 117, 120, 130, 131, 153, 321, 349, 376, 395)
) | frozenset((407, 467, 675, 676, 691))
# A text that ends too early, or a body: only the former is read by a function.
_TOO_EARLY = 32
_VIOLATED_CONSTRAINT = 469
_CONSTRAINT = re.compile(r"Constraint `?(\w+)")


def failure(error: ClickHouseError) -> InsertFailure:
    """UNKNOWN: no answer, so the rows may be in."""
    code = getattr(error, "code", None)
    if code is None:
        return InsertFailure.UNKNOWN
    if code == _VIOLATED_CONSTRAINT:
        named = _CONSTRAINT.search(str(error))
        ours = named is None or named[1] == LEASE_CONSTRAINT
        return InsertFailure.FAILED if ours else InsertFailure.REJECTED
    in_text = code == _TOO_EARLY and "executing 'FUNCTION" in str(error)
    return InsertFailure.REJECTED if in_text or code in _DATA_CODES else InsertFailure.FAILED
