"""Requests to the read API, tried again while it is away."""

import threading
from collections.abc import Mapping

import httpx

from activity_deploy.errors import UserError
from activity_deploy.history.settings import HistorySettings
from activity_deploy.local.secrets import existing, token
from activity_deploy.local.settings import LocalSettings
from activity_deploy.local.state import StateDirectory

_TIMEOUT_S = 60
_PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0)
_AGAIN = (429, 500, 502, 503, 504)

Parameters = Mapping[str, str | int]


class RangeTooLargeError(UserError):
    """One query cannot read it; a part of it may do."""


class HistoryClient:
    """One org's history. `permission`: what a token of the local stack is made with."""

    def __init__(
        self,
        settings: HistorySettings,
        org_id: str,
        permission: str,
        transport: httpx.BaseTransport | None = None,
        stopped: threading.Event | None = None,
    ) -> None:
        """`stopped`: set from elsewhere, it ends the pauses. Raises UserError."""
        self._stopped = stopped or threading.Event()
        path = f"/v1/orgs/{httpx.URL(path=f'/{org_id}').raw_path.decode()[1:]}/activity"
        headers = {"authorization": f"Bearer {_token(settings, org_id, permission)}"}
        self._client = httpx.Client(
            base_url=settings.url + path, headers=headers, timeout=_TIMEOUT_S, transport=transport
        )

    def get(self, path: str, parameters: Parameters) -> httpx.Response:
        """A whole answer, 200. Raises UserError; of it RangeTooLargeError for what must be asked
        in parts."""
        wrong = ""
        for pause_s in (*_PAUSES_S, None):
            try:
                response = self._client.get(path, params=dict(parameters))
            except httpx.HTTPError as error:
                wrong = str(error) or type(error).__name__
            else:
                if response.status_code == 200:
                    return response
                wrong = f"{response.status_code} {_message(response)}"
                if _is_too_large(response):
                    raise RangeTooLargeError(wrong)
                if response.status_code not in _AGAIN:
                    break
            if pause_s is None or self._stopped.wait(pause_s):
                break
        raise UserError(f"the API at {self._client.base_url.host} answers: {wrong}")

    def close(self) -> None:
        self._client.close()


def _token(settings: HistorySettings, org_id: str, permission: str) -> str:
    if settings.token is not None:
        return settings.token.get_secret_value()
    local = existing(StateDirectory(LocalSettings().state_dir))
    return token(local, org_id, "history", [permission])


def _is_too_large(response: httpx.Response) -> bool:
    try:
        return bool(response.json()["detail"][0]["type"] == "query_too_large")
    except (ValueError, KeyError, IndexError, TypeError):
        return False


def _message(response: httpx.Response) -> str:
    try:
        body = response.json()
        return str(body.get("message") or body["detail"][0]["msg"])
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        return response.reason_phrase
