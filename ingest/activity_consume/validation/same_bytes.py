"""Has msgspec read all of a JSON text? It says nothing of a name that stands twice, nor of `-0`.

So it writes what it has read. It writes nothing longer than it may be, and what may be written in
two ways (fractions) is kept as it came: as many bytes are the same ones, in another order.
"""


def is_all(given: bytes, read: bytes) -> bool:
    """`read`: what msgspec writes of what it read of `given`, with a line end. False may be wrong
    (then look at it in another way), True is right."""
    return len(given) + 1 == len(read) or _as_many(b'"-', given, read)


def names_all(given: bytes, read: bytes) -> bool:
    """The same, but of numbers in it nothing is said: they may be written in another way."""
    return given.count(b'"') == read.count(b'"') and _hides_none(given)


def _as_many(marks: bytes, given: bytes, read: bytes) -> bool:
    """Spaces or escapes: still each name and each text has two quotes, and each minus is there.
    An escape that stands for one of them might hide one."""
    lost = len(given) - len(given.translate(None, marks))
    return lost == len(read) - len(read.translate(None, marks)) and _hides_none(given)


def _hides_none(given: bytes) -> bool:
    return b"\\" not in given or b"\\u002" not in given
