"""The committed document, and the page that shows it without the internet."""

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx

import activity_schemas
from activity_api.openapi.document import document
from tests.support.query import api, settings

NOWHERE = "http://127.0.0.1:9"
COMMITTED = Path(activity_schemas.__file__).parents[1] / "openapi.json"


def test_the_committed_document_is_true() -> None:
    committed = (
        Path(activity_schemas.__file__)
        .parents[1]
        .joinpath("openapi.json")
        .read_text(encoding="utf-8")
    )
    assert json.loads(committed) == document(), "run `make schemas`"


def test_it_is_printed_without_server_or_settings() -> None:
    command = [sys.executable, "-m", "activity_api", "openapi"]
    printed = subprocess.run(command, capture_output=True, check=True, env={}, text=True)
    committed = (
        Path(activity_schemas.__file__)
        .parents[1]
        .joinpath("openapi.json")
        .read_text(encoding="utf-8")
    )
    assert printed.stdout == committed


async def test_it_is_served() -> None:
    async with api(settings(NOWHERE)) as client:
        response = await client.get("/openapi.json")
        assert response.json() == document()


async def test_the_page_needs_nothing_from_elsewhere() -> None:
    async with api(settings(NOWHERE)) as client:
        response: httpx.Response = await client.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"(?:https?:)?//[\w.-]+\.\w+|<link|src=|@import", response.text)
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert re.findall(r'fetch\("(.*?)"\)', response.text) == ["openapi.json"]
