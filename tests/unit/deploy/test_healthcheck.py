"""The health check of the images, against a real socket."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from activity_deploy.healthcheck import check
from activity_deploy.process.ports import free_ports


class _Part(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        status = 200 if self.path in ("/healthz", "/ping") else 503
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b"starting")

    def log_message(self, *_: object) -> None:
        """Not into the tests' output."""


@pytest.fixture
def part() -> Iterator[int]:
    """A part that lives and is not ready: its port."""
    with HTTPServer(("127.0.0.1", 0), _Part) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ports(part: int) -> dict[str, str]:
    nobody = [str(port) for port in free_ports(2)]
    names = ("ACTIVITY_CONSUMER_PORT", "ACTIVITY_DEMO_PORT")
    return {"ACTIVITY_API_PORT": str(part), **dict(zip(names, nobody, strict=True))}


def test_it_finds_the_part_that_runs_here(part: int) -> None:
    assert check(ports(part)) == ""


def test_alive_is_not_ready(part: int) -> None:
    assert check(ports(part), "/readyz") == f"http://127.0.0.1:{part}/readyz: 503 starting"


def test_a_url_is_asked_as_it_is(part: int) -> None:
    assert check({}, f"http://127.0.0.1:{part}/ping") == ""


def test_nobody_is_not_healthy() -> None:
    [nobody] = free_ports(1)
    assert check(ports(nobody)) == "nothing answers"
    assert check({}, f"http://127.0.0.1:{nobody}/ping") == "nothing answers"
