"""Whether a child answers over HTTP."""

import asyncio

import httpx

from activity_deploy.errors import UserError
from activity_deploy.process.process import Process

_POLL_S = 0.05


async def wait_ready(url: str, process: Process, deadline_s: float = 60) -> None:
    """Until `url` answers 200. Raises UserError: `process` ended, or it takes too long."""
    answer = "no answer"
    try:
        async with asyncio.timeout(deadline_s), httpx.AsyncClient(trust_env=False) as client:
            while process.running:
                try:
                    response = await client.get(url)
                except httpx.TransportError as error:
                    answer = type(error).__name__
                else:
                    if response.status_code == 200:
                        return
                    answer = f"{response.status_code} {response.text[:200]}"
                await asyncio.sleep(_POLL_S)
    except TimeoutError as error:
        raise UserError(
            f"{process.name} is not ready after {deadline_s:.0f} s: {url} says {answer}"
            f" (see {process.log})"
        ) from error
    raise UserError(process.ended())
