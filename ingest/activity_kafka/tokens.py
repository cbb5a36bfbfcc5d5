"""Tokens of OAUTHBEARER: from a file that somebody renews, or of an issuer's token endpoint."""

import asyncio
import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

_TIMEOUT_S = 5.0
_MOST_BYTES = 64 << 10
#: A token is fetched anew when so much of its life is over.
_USED = 0.8


class TokenUnavailableError(ConnectionError):
    """There is no token now; the client takes it for a broker that is away, and tries again."""


def file_token(path: Path) -> Any:
    """A provider that reads the file at each login: mounted tokens are renewed in place."""

    def read() -> str:
        try:
            token = path.read_text(encoding="ascii").strip()
        except (OSError, ValueError) as error:
            words = (error.strerror if isinstance(error, OSError) else "") or "is not ASCII"
            raise TokenUnavailableError(f"the token file {path}: {words}") from None
        if not token or len(token) > _MOST_BYTES or any(sign.isspace() for sign in token):
            raise TokenUnavailableError(f"the token file {path} does not hold one token")
        return token

    return _provider(read, lambda _: 0.0)


def client_credentials(
    url: str, client_id: str, client_secret: str, scope: str | None, cafile: str | None
) -> Any:
    """A provider that asks an issuer (RFC 6749 §4.4, client_secret_basic), and keeps a token for
    most of its life."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    quoted = (urllib.parse.quote(part, safe="") for part in (client_id, client_secret))
    login = base64.b64encode(":".join(quoted).encode()).decode()
    opener = urllib.request.build_opener(
        _NoRedirect(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cafile)),
    )
    life = 0.0

    def fetch() -> str:
        nonlocal life
        request = urllib.request.Request(  # noqa: S310 - settings take http and https alone
            url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {login}", "Accept": "application/json"},
        )
        try:
            with opener.open(request, timeout=_TIMEOUT_S) as answer:
                found = json.loads(answer.read(_MOST_BYTES))
            token, life = found["access_token"], float(found.get("expires_in", 0))
            if not isinstance(token, str) or not token:
                raise ValueError("no access_token")
        except urllib.error.HTTPError as error:
            error.close()
            raise TokenUnavailableError(f"{_host(url)} answers {error.code}") from None
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            # What it has said may hold anything: its class alone.
            raise TokenUnavailableError(f"{_host(url)}: {type(error).__name__}") from None
        return token

    return _provider(fetch, lambda now: now + life * _USED)


def _provider(fetch: Callable[[], str], kept_until: Callable[[float], float]) -> Any:
    # Here: settings can be read where there is no Kafka client.
    from aiokafka.abc import AbstractTokenProvider  # noqa: PLC0415

    class Provider(AbstractTokenProvider):  # type: ignore[misc]
        """Blocking work in a thread; many connections at once ask once."""

        def __init__(self) -> None:
            self._lock = asyncio.Lock()
            self._token = ""
            self._until = 0.0

        async def token(self) -> str:
            """Raises TokenUnavailableError."""
            async with self._lock:
                if not self._token or monotonic() >= self._until:
                    self._token = await asyncio.to_thread(fetch)
                    self._until = kept_until(monotonic())
                return self._token

    return Provider()


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A client's secret goes where the setting says, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _host(url: str) -> str:
    return f"the token endpoint {urllib.parse.urlsplit(url).netloc.rpartition('@')[2]}"
