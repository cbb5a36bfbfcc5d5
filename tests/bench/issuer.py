"""`python -m tests.bench.issuer`: what tokens with known keys notice of an issuer in trouble.

Two verifiers, one of a healthy issuer and one of a troubled one, take turns over an hour that is
passed in as time, a minute a step: in each the kept keys are old, and a fetch is under way. Of each
token the time until it is verified. Then 10,000 tokens with unknown key ids. The last line is one
JSON object; it ends with 1 where a token failed or was late, or the issuer was asked too often.
"""

import argparse
import asyncio
import base64
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import jwt

from activity_api.auth.caller import KeysUnavailableError, TokenError, Verifier
from activity_api.auth.tokens import verifier
from activity_api.settings import TokenSettings
from tests.support.issuer import Answer, FakeIssuer, drips, hangs, jwk, key_set, plain, resets, rsa

_PRIVATE = rsa()
_GOOD = key_set(jwk(_PRIVATE, "known"))
_TROUBLES: dict[str, Answer | None] = {
    "hanging": hangs,
    "dripping": drips,
    "resetting": resets,
    "HTML": plain(b"<html>maintenance</html>"),
    "no keys": plain(b'{"keys": []}'),
    "500": plain(b"", "500 Internal Server Error"),
    "away": None,
}
_MINUTES = 60
_UNKNOWN = 10_000
_MOST_RATIO = 1.2


@dataclass
class Side:
    """A verifier, its issuer, and how long its tokens took, in microseconds."""

    issuer: FakeIssuer
    verifier: Verifier
    took: list[float] = field(default_factory=list)
    failed: int = 0

    async def verify(self, token: str) -> None:
        """Also gives the fetch under way its turn, between two tokens."""
        started = time.perf_counter()
        try:
            await self.verifier.verify(token)
        except (TokenError, KeysUnavailableError):
            self.failed += 1
        self.took.append((time.perf_counter() - started) * 1e6)
        await asyncio.sleep(0)

    @property
    def p99(self) -> float:
        return sorted(self.took)[int(len(self.took) * 0.99)]


async def side(clock: Callable[[], float]) -> Side:
    """With the known key, and that fetched."""
    issuer = FakeIssuer()
    await issuer.come()
    issuer.answer(_GOOD)
    settings = TokenSettings(algorithms=("RS256",), jwks_url=issuer.jwks_url)
    made = Side(issuer, verifier(settings, monotonic_clock=clock))
    await made.verifier.verify(token_of("known"))
    return made


def token_of(key_id: str) -> str:
    now = int(time.time())
    claims = {"iss": "activity-local", "aud": "activity", "sub": "ann", "org_id": "acme"}
    claims |= {"permissions": ["activity:read"], "iat": now, "exp": now + 86_400}  # type: ignore[dict-item]
    return jwt.encode(claims, _PRIVATE, "RS256", {"kid": key_id})


async def hour(answer: Answer | None, per_minute: int) -> tuple[Side, Side]:
    """The healthy one and the troubled one."""
    start, minutes = time.monotonic(), 0

    def clock() -> float:
        return start + minutes * 60

    healthy, troubled = await side(clock), await side(clock)
    if answer is None:
        await troubled.issuer.leave()
    else:
        troubled.issuer.answer(answer)
    token = token_of("known")
    for minutes in range(1, _MINUTES + 1):
        for turn in range(per_minute):
            for one in (healthy, troubled) if (turn + minutes) % 2 else (troubled, healthy):
                await one.verify(token)
    for one in (healthy, troubled):
        await one.verifier.close()
        await one.issuer.leave()
    return healthy, troubled


async def unknown_ids() -> tuple[int, int]:
    """How often the issuer is asked within one interval for so many tokens, and how many got in."""
    now = time.monotonic()
    one = await side(lambda: now)
    before = len(one.issuer.requests)
    head = token_of("known").partition(".")[2]
    forged = [f"{_header(f'unknown-{number}')}.{head}" for number in range(_UNKNOWN)]
    now += 31  # the interval of the first fetch is over
    for token in forged:
        await one.verify(token)
    asked = len(one.issuer.requests) - before
    await one.verifier.close()
    await one.issuer.leave()
    return asked, _UNKNOWN - one.failed


def _header(key_id: str) -> str:
    head = json.dumps({"alg": "RS256", "typ": "JWT", "kid": key_id}).encode()
    return base64.urlsafe_b64encode(head).rstrip(b"=").decode()


async def bench(per_minute: int) -> int:
    """Print the table and the JSON object; the exit status."""
    # That it cannot be fetched is what is tried here.
    logging.getLogger("activity_api.auth.issuer_keys").setLevel(logging.ERROR)
    results: dict[str, dict[str, float]] = {}
    _say(f"{'issuer':12}{'healthy p99':>13}{'p99 µs':>9}{'ratio':>8}{'failed':>8}{'asked':>7}")
    for name, answer in _TROUBLES.items():
        healthy, troubled = await hour(answer, per_minute)
        ratio = round(troubled.p99 / healthy.p99, 3)
        asked = len(troubled.issuer.requests)
        results[name] = {"ratio": ratio, "failed": troubled.failed + healthy.failed, "asked": asked}
        _say(
            f"{name:12}{healthy.p99:13.0f}{troubled.p99:9.0f}{ratio:8.2f}{troubled.failed:8}{asked:7}"
        )
    asked, let_in = await unknown_ids()
    _say(f"{_UNKNOWN:,} unknown key ids: {asked} fetches, {let_in} let in")
    _say(f"load {os.getloadavg()[0]:.1f}")
    worst = max(one["ratio"] for one in results.values())
    failed = sum(one["failed"] for one in results.values())
    found = {"p99_ratio": worst, "failed": failed, "unknown_fetches": asked, "by_issuer": results}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0 if worst <= _MOST_RATIO and not failed and asked <= 1 and not let_in else 1


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.issuer", description=__doc__)
    parser.add_argument("--per-minute", type=int, default=100, help="tokens for each, a minute")
    per_minute: int = parser.parse_args().per_minute
    return asyncio.run(bench(per_minute))


if __name__ == "__main__":
    sys.exit(_main())
