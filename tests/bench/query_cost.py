"""What a first page costs the engine, by its kind: CPU, so others' work does not count."""

import sys
from collections.abc import Mapping

import httpx

from tests.bench.emit_machine import cpu_s
from tests.bench.query_mix import Asked

_REQUESTS = 10
_TURNS = 4


async def costs(
    asked: Mapping[str, Asked], urls: Mapping[str, str], engine: int
) -> dict[str, dict[str, float]]:
    """Milliseconds of the engine's CPU for one request, the best of some turns. `urls`: of APIs,
    which are asked in turns; `engine`: its process."""
    found: dict[str, dict[str, float]] = {}
    async with httpx.AsyncClient(timeout=30) as http:
        for kind, one in asked.items():
            least: dict[str, float] = {}
            for _ in range(_TURNS):
                for arm, url in urls.items():
                    before = cpu_s(engine)
                    for _ in range(_REQUESTS):
                        answer = await http.get(url + one.path, headers=one.headers)
                        assert answer.status_code == 200, answer.text
                    used = (cpu_s(engine) - before) * 1000 / _REQUESTS
                    least[arm] = min(used, least.get(arm, used))
            found[kind] = {arm: round(used, 1) for arm, used in least.items()}
            told = "".join(f"{arm:>10}{used:7.1f}" for arm, used in found[kind].items())
            sys.stderr.write(f"{kind:24}{told}\n")
    return found
