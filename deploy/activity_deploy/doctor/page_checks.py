"""The consumer's and the API's own word, where they are to be reached from here."""

import httpx

from activity_deploy.doctor.finding import Finding, ok, warning


async def check_page(part: str, url: str, variable: str, start: str) -> list[Finding]:
    """`/readyz` at `url`; `variable` says where it is, `start` starts it."""
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            answer = await client.get(f"{url}/readyz")
    except httpx.HTTPError as error:
        text = f"nobody answers at {url} ({type(error).__name__})"
        return [warning(part, text, f"`{start}`; one elsewhere: set {variable}")]
    if answer.status_code == 200:
        return [ok(part, f"{url} is ready")]
    return [warning(part, f"{url}: {_said(answer)}", "what it says is what keeps it")]


def _said(answer: httpx.Response) -> str:
    try:
        body = answer.json()
        details = [one for found in (body.get("details") or {}).values() for one in _listed(found)]
        return ": ".join([body["message"], *(["; ".join(details)] if details else [])])
    except (ValueError, KeyError, TypeError, AttributeError):
        return " ".join(answer.text.split())[:500] or str(answer.status_code)


def _listed(found: object) -> list[str]:
    return [str(one) for one in found] if isinstance(found, list) else [str(found)]
