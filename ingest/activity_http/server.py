"""Arguments of uvicorn that all our servers share."""

import resource
from functools import partial
from typing import Any

from activity_http.limits import HttpLimits
from activity_http.protocol import LimitedProtocol
from activity_http.refusal import Body, plain


def options(limits: HttpLimits, refusal_body: Body = plain) -> dict[str, Any]:
    """For `uvicorn.Config`. They can be pickled, as its worker processes need it."""
    return {
        "http": partial(LimitedProtocol, limits=limits, refusal_body=refusal_body),
        "ws": "none",  # it would take the connection over, without any limit
        "access_log": False,
        "log_config": None,  # activity_telemetry.logs, in each worker
        "log_level": "warning",
        "server_header": False,
        "timeout_keep_alive": limits.idle_timeout_s,
    }


def raise_file_limit() -> None:
    """As many connections as the machine allows this process: the usual soft limit, 1024, is for
    programs that call select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
