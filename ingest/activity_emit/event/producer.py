"""The name of a producer: one for each process and each start."""

import os
import random
import re
import secrets
import socket


def new_producer_id() -> str:
    """Host, process and a random word, in letters that a file's name may have. Never raises."""
    try:
        host = re.sub(r"[^A-Za-z0-9._-]", "_", socket.gethostname())[:64]
    except OSError:
        host = "unknown"
    return f"{host}-{os.getpid()}-{_word()}"


def renewed(producer_id: str) -> str:
    """The same process, anew."""
    return f"{producer_id.rsplit('-', 1)[0]}-{_word()}"


def _word() -> str:
    try:
        return secrets.token_hex(4)
    except (OSError, NotImplementedError):  # no source of randomness
        return f"{random.getrandbits(32):08x}"
