"""A compose project: its services' containers, up on free ports, gone afterwards."""

import contextlib
import functools
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activity_deploy.process.ports import HOST, free_ports

DEPLOY = Path(__file__).parents[2] / "deploy"
_BUILT = DEPLOY.parent / ".state" / "bin" / "docker-compose"
#: What is started and given a port of this machine.
PORTS = ("API", "DEMO", "CLICKHOUSE", "KAFKA", "PROMETHEUS", "GRAFANA")


@functools.cache
def compose_command() -> tuple[str, ...]:
    """`docker compose` (v2), or v2 as `make compose-v2` builds it, or docker-compose 1.29."""
    v2 = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if v2.returncode == 0:
        return ("docker", "compose")
    return (str(_BUILT),) if _BUILT.exists() else ("docker-compose",)


class Project:
    """`local`: with the local engine in the server's place."""

    def __init__(self, name: str, images: dict[str, str], *, local: bool) -> None:
        self.local = local
        self.key = secrets.token_hex(32)
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._name = name
        files = ["compose.yaml", *(["compose.local.yaml"] if local else [])]
        self._files = [word for file in files for word in ("--file", str(DEPLOY / file))]
        self._environment = {
            **os.environ,
            **images,
            **{f"ACTIVITY_{part}_PORT": str(port) for part, port in self.ports.items()},
            "ACTIVITY_CLICKHOUSE_PASSWORD": secrets.token_hex(16),
            "ACTIVITY_JWT_KEY": self.key,
            "ACTIVITY_CURSOR_KEY": secrets.token_hex(32),
        }
        self.clickhouse_url = (
            f"http://activity:{self._environment['ACTIVITY_CLICKHOUSE_PASSWORD']}"
            f"@{HOST}:{self.ports['CLICKHOUSE']}"
        )

    def url(self, part: str) -> str:
        """Of what is published on this machine."""
        return f"http://{HOST}:{self.ports[part]}"

    @contextlib.contextmanager
    def up(self, *services: str) -> Iterator[None]:
        """In the block all are started; after it nothing of it is left, not even its volumes."""
        try:
            self.compose("up", "--detach", *services)
            yield
        finally:
            self.compose("down", "--volumes", "--timeout", "20")

    def compose(self, *arguments: str) -> str:
        """Its output. Raises AssertionError with what it said, where it fails."""
        command = [*compose_command(), "--project-directory", str(DEPLOY), *self._files]
        return self._run([*command, "--project-name", self._name, *arguments])

    def container(self, service: str) -> str:
        """The id of the service's container, also of one that has ended."""
        labels = {"project": self._name, "service": service}
        filters = [f"--filter=label=com.docker.compose.{k}={v}" for k, v in labels.items()]
        return self.docker("ps", "--all", "--quiet", *filters).split()[0]

    def inspect(self, service: str) -> dict[str, Any]:
        """As `docker inspect`."""
        found: dict[str, Any] = json.loads(self.docker("inspect", self.container(service)))[0]
        return found

    def crash(self, service: str) -> None:
        """kill -9 of everything in the container, by itself: so its restart policy counts."""
        self.docker("exec", self.container(service), "sh", "-c", "kill -9 -1", check=False)

    def docker(self, *arguments: str, check: bool = True) -> str:
        """Its output."""
        return self._run(["docker", *arguments], check=check)

    def _run(self, command: list[str], *, check: bool = True) -> str:
        done = subprocess.run(
            command, capture_output=True, text=True, env=self._environment, check=False
        )
        assert done.returncode == 0 or not check, f"{' '.join(command)}: {done.stderr[-2000:]}"
        return done.stdout
