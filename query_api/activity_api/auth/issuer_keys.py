"""The issuer's keys, kept: whoever has a known one never waits for the issuer."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from activity_api.auth.caller import KeysUnavailableError, TokenError
from activity_api.auth.jwk_set import KeySet
from activity_api.settings import TokenSettings

_log = logging.getLogger(__name__)

# Without any key every answer is a 503: asked again sooner, but not by each request.
_RETRY_SECONDS = 1.0


class _Issuer(Protocol):
    def fetch(self) -> Awaitable[KeySet]: ...

    async def close(self) -> None: ...


class IssuerKeys:
    """One fetch at a time. Kept keys serve while new ones are fetched, and while that fails, up to
    `jwks_max_stale_s`. An unknown key id fetches anew, at most once in `jwks_min_interval_s`.

    `clock`: seconds, monotonic.
    """

    def __init__(
        self, settings: TokenSettings, issuer: _Issuer, clock: Callable[[], float]
    ) -> None:
        self._settings = settings
        self._issuer = issuer
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = self._tried_at = -float("inf")
        self._failed = False
        self._fetching: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to fetch, so that the first request need not wait for it."""
        self._fetch()

    async def find(self, key_id: str | None, algorithm: str) -> Sequence[Any]:
        """Raises TokenError where the issuer has no such key, KeysUnavailableError where nobody
        knows. Waits for a fetch, so about a second, only for a key that is not known."""
        found = self._known(key_id, algorithm)
        if found:
            if self._clock() - self._fetched_at >= self._settings.jwks_refresh_s:
                self._fetch()
            return found
        fetching = self._fetch()
        if fetching is not None:
            # Not ended with the request that waits: the next one finds the keys ready.
            await asyncio.wait((fetching,))
            found = self._known(key_id, algorithm)
        if found:
            return found
        # A key that came after the last good answer is nobody's only if the issuer says so.
        if self._failed or not self._is_usable():
            raise KeysUnavailableError("the issuer's keys are out of reach")
        raise TokenError("The token is not signed with a key of its issuer")

    async def close(self) -> None:
        """End the fetch that is under way, and close the connections."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait((self._fetching,))
        await self._issuer.close()

    def _is_usable(self) -> bool:
        return self._clock() - self._fetched_at < self._settings.jwks_max_stale_s

    def _known(self, key_id: str | None, algorithm: str) -> Sequence[Any]:
        if self._keys is None or not self._is_usable():
            return ()
        return self._keys.find(key_id, algorithm)

    def _fetch(self) -> asyncio.Task[None] | None:
        """The fetch under way, or a new one; None where it is too early for one."""
        if self._fetching is not None and not self._fetching.done():
            return self._fetching
        interval = self._settings.jwks_min_interval_s if self._is_usable() else _RETRY_SECONDS
        if self._clock() - self._tried_at < interval:
            return None
        self._tried_at = self._clock()
        self._fetching = asyncio.create_task(self._refresh())
        return self._fetching

    async def _refresh(self) -> None:
        try:
            self._keys = await self._issuer.fetch()
        except Exception as error:  # noqa: BLE001 - whatever comes, the kept keys go on
            self._failed = True
            kept = "the kept ones serve" if self._is_usable() else "tokens are answered with 503"
            _log.warning("the token issuer's keys cannot be fetched: %s; %s", error, kept)
        else:
            self._failed = False
            self._fetched_at = self._clock()
