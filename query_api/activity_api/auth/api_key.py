"""The text of an API key: `ak_`, an id, a secret, a checksum.

    ak_4kQ9ZbT0aXvE  8m3...  x1Y2z3
    id (12)          secret  CRC-32 (6)

All base62 and always 51 characters, so that secret scanners know one (`ak_[0-9A-Za-z]{48}`) and a
typing mistake is found without a look-up. The id is no secret: it is who a key's activity is of.
"""

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass

from activity_api.auth.caller import TokenError

PREFIX = "ak_"
_BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
_ID, _SECRET, _CHECK = 12, 30, 6  # 30 characters of base62 are 178 bits
_FORM = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{_ID + _SECRET + _CHECK}}}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`id` may be shown, `digest` is what is stored: SHA-256, in hex."""

    id: str
    digest: str

    @classmethod
    def parse(cls, text: str) -> "ApiKey":
        """Raises TokenError for what was never made by `new_key`."""
        body, check = text[:-_CHECK], text[-_CHECK:]
        if not _FORM.fullmatch(text) or check != _checksum(body):
            raise TokenError("The API key is cut off or mistyped")
        # A plain hash is enough: what it hides is random, and too long to be guessed.
        digest = hashlib.sha256(text.encode()).hexdigest()
        return cls(text[: len(PREFIX) + _ID], digest)


def new_key() -> str:
    """A key that nobody else has. Shown once: what is stored does not lead back to it."""
    body = PREFIX + "".join(secrets.choice(_BASE62) for _ in range(_ID + _SECRET))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode())
    digits = []
    for _ in range(_CHECK):
        number, digit = divmod(number, len(_BASE62))
        digits.append(_BASE62[digit])
    return "".join(reversed(digits))
