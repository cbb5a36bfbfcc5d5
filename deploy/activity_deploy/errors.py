"""What goes wrong, as the one line that a person sees."""

import re

_LONGEST = 500
# ClickHouse's own words, without the client's before them and the version or trace behind them.
_ENGINE = re.compile(r"DB::Exception: (.*?)(?: \(version |\n|$)")


class UserError(Exception):
    """The text says what is wrong and what to do about it, in one line."""


def first_line(error: BaseException) -> str:
    """An error's text as a part of such a line: never empty, no stack trace."""
    text = str(error).strip() or type(error).__name__
    found = _ENGINE.search(text)
    return (found[1] if found else text.splitlines()[0])[:_LONGEST]
