"""What stops the local stack, as the one line its user sees."""


class Problem(Exception):
    """The text says what is wrong and what to do about it, in one line."""
