"""A service full of secrets: `python -m tests.integration.emit.secret_app`.

Every secret holds SECRET, every fact that may be seen FACT. What uvicorn itself would log (paths,
the texts of exceptions) is off: that is the service's own business. All other loggers write all.
"""

import logging
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, StreamingResponse

from activity_emit import ActivityMiddleware, EmitSettings, KafkaPublisher, Principal, activity

SECRET, FACT = "swordfish7q", "goldfish7q"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJ{SECRET}.{SECRET}"
KEY = f"sk-proj-{SECRET}-12345678"
BASE = "/orgs/{org_id}/apps/{app_id}"


class Goldfish7qError(ValueError):
    """Its class is a fact, its text is not."""


class Card:
    def __repr__(self) -> str:
        return SECRET


METADATA: dict[str, Any] = {
    "colour": FACT,
    "password": SECRET,
    "Authorization": f"Bearer {SECRET}",
    "deep": [{"api_key": SECRET, "items": [{"client-secret": [SECRET]}]}],
    "note": f"called with Bearer {SECRET} and password={SECRET}, token: {SECRET}",
    "url": f"https://user:{SECRET}@db.example/x?api_key={SECRET}",
    "jwt in a text": f"got {JWT} from {KEY}",
    "card": Card(),
    KEY: "a secret as a key",
    f"password={SECRET}": "and another",
    "control": f"pass\x00word={SECRET} Bea\x1brer {SECRET}",
}


def hook(facts: dict[str, Any]) -> dict[str, Any]:
    if facts["path"].endswith("/hooked"):
        raise Goldfish7qError(SECRET)
    return facts


def who(scope: Any) -> Principal | None:
    if scope["path"].endswith("/nobody"):
        raise Goldfish7qError(SECRET)
    return Principal(user_id="ann", token_id=KEY, principal_id=JWT, token_type=f"Bearer {SECRET}")


def service() -> FastAPI:
    app = FastAPI()

    @app.post(BASE + "/vault/{reset_token}/{rest:path}")
    async def vault(request: Request) -> JSONResponse:
        await request.body()
        activity.set(
            execution_id=JWT,
            resource_id=KEY,
            token_usage={FACT: 1, KEY: 2, f"token={SECRET}": 3},
            metadata=METADATA,
        )
        answer = JSONResponse({"password": SECRET}, headers={"x-secret": SECRET})
        answer.set_cookie("session", SECRET)
        return answer

    @app.get(BASE + "/boom")
    async def boom() -> None:
        try:
            raise KeyError(SECRET)
        except KeyError as error:
            raise Goldfish7qError(SECRET) from error

    @app.get(BASE + "/late")
    async def late() -> StreamingResponse:
        async def chunks() -> AsyncIterator[bytes]:
            yield SECRET.encode()
            raise ExceptionGroup(SECRET, [Goldfish7qError(SECRET)])

        return StreamingResponse(chunks())

    @app.get(BASE + "/denied")
    async def denied() -> JSONResponse:
        return JSONResponse({"error": KEY, "detail": SECRET}, 403)

    @app.get(BASE + "/{name}")
    async def other(name: str) -> dict[str, str]:
        return {"name": name}

    @app.websocket(BASE + "/socket")
    async def socket(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(SECRET + await websocket.receive_text())
        raise Goldfish7qError(SECRET)

    settings = EmitSettings(query_allow=frozenset({"colour", "q", "password"}))
    publisher = KafkaPublisher(
        emit=settings,
        client_options={"sasl_plain_username": "u", "sasl_plain_password": SECRET},
        hook=hook if os.environ["SECRET_HOOK"] == "1" else None,
    )
    app.add_middleware(ActivityMiddleware, publisher=publisher, settings=settings, principal=who)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL + 1)
    port = int(os.environ["SECRET_PORT"])
    uvicorn.run(
        service(), host="127.0.0.1", port=port, access_log=False, log_config=None, ws="wsproto"
    )
