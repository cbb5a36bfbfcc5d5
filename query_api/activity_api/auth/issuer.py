"""The issuer of tokens over HTTP: where its keys are, and what they are."""

import asyncio
from urllib.parse import urlsplit

import httpx
import orjson

from activity_api.auth.caller import KeysUnavailableError
from activity_api.auth.jwk_set import KeySet
from activity_api.settings import TokenSettings

# For all of a fetch, however slowly its bytes come.
_DEADLINE_SECONDS = 1.0
_LARGEST_BYTES = 512 << 10
_DISCOVERY = "/.well-known/openid-configuration"


class Issuer:
    """Answers are read up to a size and never unpacked, redirects are not followed."""

    def __init__(self, settings: TokenSettings) -> None:
        self._settings = settings
        self._jwks_url = settings.jwks_url
        # Here, since reading the certificates takes longer than many a fetch.
        self._client = httpx.AsyncClient(
            timeout=_DEADLINE_SECONDS,
            follow_redirects=False,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    async def fetch(self) -> KeySet:
        """The keys of now. Raises KeysUnavailableError. Takes a second at most."""
        try:
            async with asyncio.timeout(_DEADLINE_SECONDS):
                if self._jwks_url is None:
                    self._jwks_url = await self._discover()
                return KeySet.parse(await self._get(self._jwks_url), self._settings.algorithms)
        except TimeoutError:
            reason = f"no answer within {_DEADLINE_SECONDS:g} s"
        # httpx lets a few faults of the other side out as what they are inside.
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:200] or type(error).__name__
        # It may have moved: the next time it is asked again where its keys are.
        self._jwks_url = self._settings.jwks_url
        raise KeysUnavailableError(reason)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _discover(self) -> str:
        """OpenID Connect Discovery §4: the address of the keys."""
        issuer = self._settings.issuer
        document = orjson.loads(await self._get(issuer.rstrip("/") + _DISCOVERY))
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise ValueError("the discovery document is not of this issuer")
        url = document.get("jwks_uri")
        # No step down from https, and no other scheme at all.
        allowed = {"https", urlsplit(issuer).scheme}
        if not isinstance(url, str) or urlsplit(url).scheme not in allowed:
            raise ValueError(f"the jwks_uri of the discovery document is no {min(allowed)} address")
        return url

    async def _get(self, url: str) -> bytes:
        async with self._client.stream("GET", url) as response:
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"the answer has status {response.status_code}")
            # A few packed kilobytes can be gigabytes.
            if response.headers.get("content-encoding", "identity").lower() != "identity":
                raise ValueError("the answer is encoded, which was not asked for")
            body = bytearray()
            async for part in response.aiter_raw():
                body += part
                if len(body) > _LARGEST_BYTES:
                    raise ValueError(f"the answer is larger than {_LARGEST_BYTES} bytes")
            return bytes(body)
