"""Who is let in at the local ClickHouse port: whoever knows the password, and no web page."""

import base64
import sys
from pathlib import Path

import httpx
import pytest

from activity_deploy.process.process import Process
from tests.support.wait import wait_until

URL = str
GOOD, DENIED = 200, 403


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


#: (headers, parameters); `*` stands for the password
LOGINS: dict[str, tuple[dict[str, str], dict[str, str], int]] = {
    "nothing": ({}, {}, DENIED),
    "headers": ({"x-clickhouse-user": "default", "x-clickhouse-key": "*"}, {}, GOOD),
    "a header": ({"x-clickhouse-key": "*"}, {}, GOOD),
    "parameters": ({}, {"user": "default", "password": "*"}, GOOD),
    "a parameter": ({}, {"password": "*"}, GOOD),
    "basic": ({"authorization": basic("default", "*")}, {}, GOOD),
    "basic in small letters": ({"authorization": basic("default", "*").replace("B", "b", 1)}, {}, GOOD),
    "another user": ({"x-clickhouse-user": "admin", "x-clickhouse-key": "*"}, {}, DENIED),
    "another user, basic": ({"authorization": basic("root", "*")}, {}, DENIED),
    "no password": ({"x-clickhouse-user": "default"}, {}, DENIED),
    "an empty password": ({"x-clickhouse-key": ""}, {}, DENIED),
    "a wrong one": ({"x-clickhouse-key": "x*"}, {}, DENIED),
    "one that goes on": ({"x-clickhouse-key": "*x"}, {}, DENIED),
    "letters beyond ASCII": ({}, {"password": "é\ud7ff"}, DENIED),
    "a blank before": ({}, {"password": " *"}, DENIED),
    "a bearer": ({"authorization": "Bearer *"}, {}, DENIED),
    "no base64": ({"authorization": "Basic *"}, {}, DENIED),
    "twice, both right": ({"x-clickhouse-key": "*"}, {"password": "*"}, DENIED),
    "twice, one wrong": ({"x-clickhouse-key": "*"}, {"password": "x"}, DENIED),
}  # fmt: skip

#: Headers of a request that knows the password.
SENDERS: dict[str, tuple[dict[str, str], int]] = {
    "127.0.0.1": ({"host": "127.0.0.1:8123"}, GOOD),
    "without a port": ({"host": "127.0.0.1"}, GOOD),
    "localhost": ({"host": "localhost:1"}, GOOD),
    "in capitals": ({"host": "LOCALHOST:8123"}, GOOD),
    "IPv6": ({"host": "[::1]:8123"}, GOOD),
    "another name (DNS rebinding)": ({"host": "attacker.example:8123"}, DENIED),
    "a name that begins alike": ({"host": "localhost.attacker.example"}, DENIED),
    "a number that ends alike": ({"host": "1127.0.0.1"}, DENIED),
    "a user before it": ({"host": "localhost@attacker.example"}, DENIED),
    "a path in it": ({"host": "localhost/x"}, DENIED),
    "empty": ({"host": ""}, DENIED),
    "any address": ({"host": "0.0.0.0:8123"}, DENIED),
    "an origin": ({"origin": "https://attacker.example"}, DENIED),
    "Origin: null": ({"origin": "null"}, DENIED),
    "its own origin": ({"origin": "http://127.0.0.1:8123"}, DENIED),
    "another site's image": ({"sec-fetch-site": "cross-site"}, DENIED),
    "another port's page": ({"sec-fetch-site": "same-site"}, DENIED),
    "typed by a person": ({"sec-fetch-site": "none"}, GOOD),
}


@pytest.fixture
def address(clickhouse_url: str) -> tuple[str, str]:
    """Without the password, and the password."""
    url = httpx.URL(clickhouse_url)
    return f"http://127.0.0.1:{url.port}/", url.password


@pytest.mark.parametrize("case", LOGINS.values(), ids=LOGINS.keys())
async def test_logins(
    address: tuple[str, str], case: tuple[dict[str, str], dict[str, str], int]
) -> None:
    url, password = address
    headers, parameters, status = case
    if "authorization" in headers and headers["authorization"].lower().startswith("basic "):
        scheme, _, rest = headers["authorization"].partition(" ")
        decoded = base64.b64decode(rest + "==").decode("latin-1") if rest != "*" else ""
        if decoded:
            rest = base64.b64encode(decoded.replace("*", password).encode()).decode()
        headers = {"authorization": f"{scheme} {rest}"}
    headers = {name: value.replace("*", password) for name, value in headers.items()}
    parameters = {name: value.replace("*", password) for name, value in parameters.items()}
    async with httpx.AsyncClient() as client:
        answer = await client.get(url, params={"query": "SELECT 7", **parameters}, headers=headers)
        assert answer.status_code == status, answer.text
        if status == GOOD:
            assert answer.text == "7\n"
        else:
            assert answer.headers["x-clickhouse-exception-code"] == "516"
            assert password not in answer.text
        # Not asked for: whether it is up is no secret.
        assert (await client.get(url + "ping", headers=headers)).text == "Ok.\n"


@pytest.mark.parametrize("case", SENDERS.values(), ids=SENDERS.keys())
@pytest.mark.parametrize("path", ["", "ping"])
async def test_senders(
    address: tuple[str, str], path: str, case: tuple[dict[str, str], int]
) -> None:
    url, password = address
    headers, status = case
    parameters = {"query": "SELECT 7", "password": password}
    async with httpx.AsyncClient() as client:
        answer = await client.get(url + path, params=parameters, headers=headers)
    assert answer.status_code == status, answer.text
    assert not any(name.startswith("access-control-") for name in answer.headers)


async def test_user_and_password_are_given_and_localhost_is_this_machine(tmp_path: Path) -> None:
    """As in deploy/compose.local.yaml, but for the address: with that, any Host name counts."""
    secret = tmp_path / "secret"
    secret.write_text("of-the-environment\n")
    command = [sys.executable, "-m", "activity_deploy.clickhouse", "--path", str(tmp_path / "data")]
    process = Process(
        "clickhouse",
        [*command, "--port", "0", "--host", "localhost", "--user", "activity"],
        tmp_path / "log",
        {"ACTIVITY_CLICKHOUSE_PASSWORD": "", "ACTIVITY_CLICKHOUSE_PASSWORD_FILE": str(secret)},
    )
    await process.start()
    try:

        def ready() -> str:
            assert process.running, process.output()
            return next((one for one in process.output() if " ready on " in one), "")

        url = (await wait_until(ready, 60, "ready")).split(" ready on ")[1].split()[0]
        async with httpx.AsyncClient() as client:
            for user, password, host, status in (
                ("activity", "of-the-environment", "localhost", GOOD),
                ("activity", "of-the-environment", "clickhouse:8123", DENIED),
                ("activity", "another", "localhost", DENIED),
                ("default", "of-the-environment", "localhost", DENIED),
            ):
                answer = await client.get(
                    url,
                    params={"query": "SELECT 7"},
                    auth=(user, password),
                    headers={"host": host},
                )
                assert answer.status_code == status, answer.text
        assert not (tmp_path / "data" / "password").exists()
    finally:
        await process.stop()


async def test_a_preflight_is_refused(address: tuple[str, str]) -> None:
    headers = {
        "origin": "https://attacker.example",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
        "access-control-request-private-network": "true",
    }
    async with httpx.AsyncClient() as client:
        answer = await client.options(address[0], headers=headers)
    assert answer.status_code == DENIED
    assert not any(name.startswith("access-control-") for name in answer.headers)
