"""What never leaves the process: secrets, control characters, and more than the schema allows.

Bodies, headers and query strings are not here because they are never read in the first place.
"""

import math
import re
import sys
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from activity_schemas.event import MAX_COUNT, MAX_DURATION_MS

REDACTED = "[redacted]"
_TRUNCATED = {"truncated": True}

# A key that names a secret; `token_id`, `token_type`, `tokens_used` do not.
_SECRET_KEY = re.compile(
    r"(?i)pass(word|wd|phrase)|secret|(^|[^a-z])pwd|credential|authori[sz]ation|cookie|session_?id"
    r"|(api|access|private|encryption|signing)[-_ ]?key|bearer|signature|jwt"
    r"|token(?![-_ ]?(id|type|count|usage)s?\b)(?!s)"
)
# A value that is a secret whatever it is called: a JWT, a well-known prefix, `password=...`.
_SECRET_VALUE = re.compile(
    r"eyJ[\w-]{8,}\.[\w-]{4,}(\.[\w-]*)?"
    r"|\b(sk|pk|rk)[-_](live|test|proj|ant)[-_][\w-]{8,}|\bsk-[\w-]{16,}"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bxox[abprs]-[\w-]{8,}|\b(AKIA|ASIA)[0-9A-Z]{12,}"
    r"|(?i:\b(bearer|basic)\s+[\w.~+/=-]{6,})"
    r"|(?i:(?:pass(word|wd)?|pwd|secret|token|api[-_]?key)\s*[=:]\s*)[^\s&;,/]+"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+@"
)
# What every secret value has in it, in lower case: five times as fast to rule out.
_HINT = re.compile(
    r"eyj|[spr]k[-_]|gh[opsur]_|github_pat|xox|a[ks]ia|bearer|basic|pass|pwd|secret|token|api|://"
)

_ID_LENGTH, WORD_LENGTH = 256, 128
_TEXT_LENGTH, _ITEMS, _DEPTH, _METADATA_LENGTH = 2048, 64, 6, 16_384


def is_secret_key(name: str) -> bool:
    """Whether a key, or a path parameter, is named like a secret."""
    # A client may choose both how many names there are and how long they are.
    return _is_secret(name) if len(name) <= _ID_LENGTH else _is_secret.__wrapped__(name)


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET_KEY.search(name) is not None


def clean_text(text: str, length: int) -> str:
    """`text` without control characters, lone surrogates and secrets, cut to `length`."""
    if len(text) > 4 * length:
        text = text[: 4 * length]  # bounds the regular expression's work
    if not (text.isascii() and text.isprintable()):
        text = "".join(c for c in text if c.isprintable() or c == " ")
    return hide_secrets(text)[:length]


def clean_id(value: Any, length: int = _ID_LENGTH) -> str | None:
    """An id as it is, or None: a shortened id would be another thing's."""
    if value is None or not 0 < len(text := str(value)) <= length:
        return None
    return _clean_id(text)


def clean_word(value: Any) -> str | None:
    """A word as it is, or None if it is too long for one."""
    return clean_id(value, WORD_LENGTH)


@lru_cache(maxsize=4096)  # orgs, users and workspaces come again and again; none of them is long
def _clean_id(text: str) -> str | None:
    return hide_secrets(text) if text.isprintable() else None


def hide_secrets(text: str) -> str:
    """`text` with what looks like a secret replaced."""
    return text if _HINT.search(text.lower()) is None else _SECRET_VALUE.sub(REDACTED, text)


def duration(milliseconds: float) -> float:
    """As near as an event may have it; of what is no number, 0."""
    return min(max(0.0, milliseconds), MAX_DURATION_MS)


def is_count(value: Any, most: float = math.inf) -> bool:
    """Whether it is a whole number from 0 to `most`."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def token_usage(usage: Any) -> dict[str, int]:
    """Names with counts, the largest as an event may have it; what is no count is left out."""
    if not isinstance(usage, Mapping):
        return {}
    cleaned: dict[str, int] = {}
    for name, count in list(usage.items())[:_ITEMS]:
        key = clean_text(str(name), WORD_LENGTH)
        if key and is_count(count):
            cleaned[key] = min(int(count), MAX_COUNT)
    return cleaned


def metadata(found: Any) -> dict[str, Any]:
    """Cleaned; too much of it is replaced as a whole."""
    if not isinstance(found, Mapping):
        return {}
    cleaned = clean_json(found)
    return cleaned if _size(cleaned) <= _METADATA_LENGTH else dict(_TRUNCATED)


def clean_json(value: Any, depth: int = 0) -> Any:
    """A JSON value: secrets by key and by pattern replaced, depth, width and length capped."""
    if isinstance(value, str):
        return clean_text(value, _TEXT_LENGTH)
    if value is None or isinstance(value, (bool, int, float)):
        return _number(value)
    if depth >= _DEPTH:
        return "..."
    if isinstance(value, Mapping):
        return {
            clean_text(str(key), WORD_LENGTH): REDACTED
            if is_secret_key(str(key))
            else clean_json(item, depth + 1)
            for key, item in list(value.items())[:_ITEMS]
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean_json(item, depth + 1) for item in list(value)[:_ITEMS]]
    # The type and not the value: an object's repr may hold anything.
    return f"<{type(value).__name__}>"


def _number(value: bool | float | None) -> bool | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        # An enum becomes its number. A double is what every reader has.
        return int(value) if abs(value) <= sys.float_info.max else None
    return float(value) if math.isfinite(value) else None


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return sum(len(key) + 4 + _size(item) for key, item in value.items())
    if isinstance(value, list):
        return sum(2 + _size(item) for item in value)
    return 8
