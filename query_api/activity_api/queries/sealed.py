"""Text that only its maker can have written: bytes with their signature, safe in a URL."""

import base64
import hashlib
import hmac

_SIGNATURE_BYTES = 18


def seal(payload: bytes, key: bytes) -> str:
    """The text; its length tells nothing but the payload's."""
    sealed = payload + _sign(key, payload)
    return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(text: str, key: bytes) -> bytes | None:
    """The payload; None for a text that `seal` has not written with this key, to the last bit."""
    try:
        sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # Python's decoder skips what is not base64, and the last bits of a text may mean nothing.
    if base64.urlsafe_b64encode(sealed).rstrip(b"=").decode() != text:
        return None
    payload, signature = sealed[:-_SIGNATURE_BYTES], sealed[-_SIGNATURE_BYTES:]
    return payload if hmac.compare_digest(signature, _sign(key, payload)) else None


def _sign(key: bytes, payload: bytes) -> bytes:
    return hmac.digest(key, payload, hashlib.sha256)[:_SIGNATURE_BYTES]
