"""HTTP without a client's help: the target goes out as it is, and comes back in no other form."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by their names in lower case; `rest`: what came after the headers, to the end."""

    status: int
    headers: dict[str, str]
    rest: bytes

    def json(self) -> Any:
        """The body. Raises ValueError."""
        return json.loads(self.rest)


async def send(
    base: httpx.URL, target: str | bytes, headers: dict[str, str], method: str = "GET"
) -> Answer:
    """One request on a connection of its own."""
    target = target if isinstance(target, bytes) else target.encode()
    reader, writer = await asyncio.open_connection(base.host, base.port)
    try:
        lines = [f"{name}: {value}" for name, value in {"host": "a", **headers}.items()]
        head = "\r\n".join([*lines, "connection: close", "", ""])
        writer.write(method.encode() + b" " + target + b" HTTP/1.1\r\n" + head.encode())
        answer = await asyncio.wait_for(reader.read(), 30)
    finally:
        writer.close()
    top, _, rest = answer.partition(b"\r\n\r\n")
    status, *fields = top.decode("latin-1").split("\r\n")
    pairs = (field.partition(": ") for field in fields)
    return Answer(int(status.split()[1]), {name.lower(): value for name, _, value in pairs}, rest)
