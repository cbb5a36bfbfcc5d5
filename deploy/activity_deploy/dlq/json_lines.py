"""Dead letters for programs: one JSON object a line, with every byte of the message."""

import base64
import json
from datetime import datetime
from typing import Any

from activity_consume.dead_letter.model import Status, StoredDeadLetter


def json_line(letter: StoredDeadLetter) -> str:
    """Bytes twice: in base64, and as text where they are UTF-8 (else null)."""
    return json.dumps(
        {
            "id": str(letter.id),
            "topic": letter.id.topic,
            "partition": letter.id.partition,
            "offset": letter.id.offset,
            "reason": letter.reason,
            "detail": letter.detail,
            "status": letter.status.value,
            "status_since": None if letter.status is Status.WAITING else _iso(letter.updated_at),
            "timestamp": _iso(letter.timestamp),
            **_content("key", letter.key),
            **_content("value", letter.value),
            "headers": [
                {"name": name, **_content("value", content)} for name, content in letter.headers
            ],
        },
        ensure_ascii=False,
    )


def _content(name: str, content: bytes | None) -> dict[str, Any]:
    if content is None:
        return {name: None, f"{name}_base64": None}
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    return {name: text, f"{name}_base64": base64.b64encode(content).decode()}


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
