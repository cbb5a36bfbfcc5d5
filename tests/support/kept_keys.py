"""The keys of a fake issuer, kept on a clock of our own."""

import asyncio
from typing import Any

from activity_api.auth.issuer import Issuer
from activity_api.auth.issuer_keys import IssuerKeys
from activity_api.auth.tokens import KeysUnavailableError, TokenError
from activity_api.settings import TokenSettings
from tests.support.issuer import FakeIssuer, jwk, key_set, rsa
from tests.support.wait import wait_until

OLD, NEW = rsa(), rsa()
HOUR = 3600.0
REFRESH, INTERVAL, STALE = 300.0, 30.0, 24 * HOUR


class Clock:
    """Seconds, as far as it was moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """The keys of a fake issuer, on a clock of our own."""

    def __init__(self, fake: FakeIssuer, **changed: Any) -> None:
        parts: dict[str, Any] = {"algorithms": ("RS256",), "jwks_url": fake.jwks_url} | changed
        settings = TokenSettings(
            jwks_refresh_s=REFRESH, jwks_min_interval_s=INTERVAL, jwks_max_stale_s=STALE, **parts
        )
        self.clock = Clock()
        self.issuer = fake
        self.keys = IssuerKeys(settings, Issuer(settings), self.clock)

    async def knows(self, key_id: str) -> bool:
        """Raises KeysUnavailableError."""
        try:
            return bool(await self.keys.find(key_id, "RS256"))
        except TokenError:
            return False

    async def is_loaded(self) -> bool:
        """On a busy machine the first fetch may be too late."""
        self.clock.now += INTERVAL
        try:
            return await self.knows("old")
        except KeysUnavailableError:
            return False

    async def load(self) -> None:
        self.issuer.answer(key_set(jwk(OLD, "old")))
        await wait_until(self.is_loaded, timeout=30, what="the keys are there")

    async def settled(self) -> None:
        """The fetch under way has ended."""
        fetching = self.keys._fetching
        assert fetching is not None
        await asyncio.wait((fetching,))
