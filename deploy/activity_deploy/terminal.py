"""What somebody else has written, on a terminal: it must not be able to steer it."""

import re

from rich.text import Text

# All control characters of ASCII and Latin-1 but line end and tab, and those that turn text around.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def harmless(text: str) -> str:
    r"""The same with such characters shown as \x1b."""
    return _STEERING.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def cell(value: object) -> Text:
    """Of a table: one line, no markup of ours."""
    return Text(harmless(str(value)).replace("\n", "\\n"))
