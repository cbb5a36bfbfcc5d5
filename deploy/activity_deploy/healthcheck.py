"""`python -m activity_deploy.healthcheck`: exit 0 where a part in this container answers.

An image's HEALTHCHECK: which part runs is the container's command, so each one's port is tried.
With `/readyz` it asks whether the part can do its work, and not only whether it lives; with a URL,
that one. Standard library only: it runs every few seconds, on the CPU of what it asks.
"""

import http.client
import os
import sys
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

_PORTS = {
    "ACTIVITY_CONSUMER_PORT": "8001",
    "ACTIVITY_API_PORT": "8000",
    "ACTIVITY_DEMO_PORT": "8080",
}
_TIMEOUT_S = 4


def check(environment: Mapping[str, str], what: str = "/healthz") -> str:
    """'' where a part answers 200, else what is wrong, in one line."""
    if not what.startswith("/"):
        answer = _ask(what)
        return "nothing answers" if answer is None else answer
    ports = [environment.get(name) or default for name, default in _PORTS.items()]
    answers = [_ask(f"http://127.0.0.1:{port}{what}") for port in ports]
    if "" in answers:
        return ""
    return next(filter(None, answers), "nothing answers")


def _ask(url: str) -> str | None:
    """'' for 200, the answer for another one, None for no answer."""
    to = urlsplit(url)
    connection = http.client.HTTPConnection(to.netloc, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", to.path)
        response = connection.getresponse()
        text = response.read(200).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return "" if response.status == 200 else f"{url}: {response.status} {text}"


def main(arguments: Sequence[str]) -> int:
    """The exit status; what is wrong is in the container's health log."""
    wrong = check(os.environ, *arguments[:1])
    if wrong:
        print(wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
