"""A batch as Standard Webhooks have it (standardwebhooks.com): id, time, and their HMAC."""

import base64
import hashlib
import hmac


def headers(key: bytes, id_: str, now: int, body: bytes) -> dict[str, str]:
    """`now`: seconds since 1970, of this attempt; `id_`: the same for every attempt."""
    signed = b"%s.%d.%s" % (id_.encode(), now, body)
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "content-type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{signature}",
    }
