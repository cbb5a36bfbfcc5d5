"""What the page at `/` has to show in tests."""

import json
from datetime import UTC, datetime, timedelta

from tests.support.query import Row, row

MANY = 450
#: What somebody may have sent, in every field that is text.
SCRIPT = "<script>hacked=1</script><img src=x onerror=hacked=1>"
TURNED = "javascript:hacked=1 \u202egnp.exe\u2066\u0007"


def many() -> list[Row]:
    """Of org `o`, newest first, a minute apart: every third an error, every second in workspace
    `w`, every fifth an execution, durations of 1 to 450 ms."""
    now = datetime.now(UTC)
    return [
        row(
            *("o", now - timedelta(minutes=n + 1)),
            workspace_id="w" if n % 2 == 0 else "v",
            user_id=f"user-{n % 7}",
            action="execute" if n % 5 == 0 else "read",
            status_code=500 if n % 3 == 0 else 200,
            duration_ms=float(n + 1),
            resource_type="app",
            resource_id="a",
            path=f"/v1/orgs/o/workspaces/w/things/{n}",
        )
        for n in range(MANY)
    ]


def evil() -> Row:
    """Of org `evil`: each text is markup, or turns the text around it."""
    texts = [
        *("workspace_id", "user_id", "app_id", "trace_id", "principal_type", "principal_id"),
        *("token_id", "token_type", "resource_type", "resource_id", "error_code", "method"),
    ]
    fields = {name: SCRIPT if n % 2 else TURNED for n, name in enumerate(texts)}
    fields |= {"execution_id": SCRIPT, "augmentation_id": TURNED, "path": f"/{SCRIPT}{TURNED}"}
    return row(
        "evil",
        datetime.now(UTC) - timedelta(minutes=1),
        **fields,
        status_code=500,
        token_usage={SCRIPT: 1, TURNED: 2},
        metadata=json.dumps({SCRIPT: TURNED, "big": 12345678901234567891}),
    )
