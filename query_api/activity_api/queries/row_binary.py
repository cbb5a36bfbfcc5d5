"""RowBinary, as far as it is read here."""


def length_at(body: bytes, at: int) -> tuple[int, int]:
    """Of the text that begins here (an unsigned LEB128), and where its bytes are."""
    length = shift = 0
    while (byte := body[at]) > 0x7F:
        length |= (byte & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return length | byte << shift, at + 1
