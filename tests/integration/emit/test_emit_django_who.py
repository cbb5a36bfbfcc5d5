"""Django's user and route are found without configuration, and without a query of ours."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-W", "ignore", "-m", "tests.integration.emit.django_who"]
    done = subprocess.run(command, capture_output=True, check=False, env=os.environ, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize("way", ["wsgi looked", "wrapped looked", "asgi looked", "asgi alooked"])
def test_who_and_where(found: dict[str, Any], way: str) -> None:
    (event,) = found[way]["events"]
    assert (event["user_id"], event["principal_type"], event["principal_id"]) == ("1", "user", "1")
    assert (event["org_id"], event["workspace_id"]) == (
        "acme",
        "0b2f9c1e-7a55-4c0f-9f3e-0c1d2e3f4a5b",
    )
    assert event["status_code"] == 200


def test_an_anonymous_user_is_none(found: dict[str, Any]) -> None:
    (event,) = found["wsgi looked anonymous"]["events"]
    assert (event["org_id"], "user_id" in event) == ("acme", False)


@pytest.mark.parametrize("way", ["wsgi lazy", "asgi lazy"])
def test_a_user_that_the_request_did_not_look_at_costs_no_query(
    found: dict[str, Any], way: str
) -> None:
    (event,) = found[way]["events"]
    assert "user_id" not in event
    assert found["wsgi lazy"]["queries"] == 0
    assert found["wsgi looked"]["queries"] > 0  # they are counted


def test_without_a_route_it_is_nobodys_event(found: dict[str, Any]) -> None:
    assert found["wsgi none"]["events"] == []
