"""ZooKeeper of its own jars, and chDB processes that are replicas by it.

chDB opens no interserver port, so its replicas agree on what tables they have, and can exchange no
rows.
"""

import asyncio
import json
import sys
from pathlib import Path

from activity_deploy.kafka.jars import FOLDER, fetch
from activity_deploy.kafka.java import java
from activity_deploy.process.ports import HOST, free_ports
from activity_deploy.process.process import Process
from tests.support.wait import wait_until

_MAIN = "org.apache.zookeeper.server.ZooKeeperServerMain"
_RUN = """
import json, os, sys
import chdb
connection = chdb.connect(sys.argv[1])
answers = []
for statement in json.load(sys.stdin):
    try:
        answers.append(connection.query(statement, "TSVRaw").bytes().decode())
    except Exception as error:
        answers.append(f"ERROR {error}")
print(json.dumps(answers), flush=True)
# Its threads of ZooKeeper would keep the process for ever.
os._exit(0)
"""


def _folder(directory: Path) -> Path:
    directory.mkdir()
    return directory


class ZooKeeper:
    """One server on 127.0.0.1."""

    def __init__(self, directory: Path) -> None:
        [self.port] = free_ports(1)
        self._directory = directory
        self._process = Process("zookeeper", (), directory / "zookeeper.log")

    async def __aenter__(self) -> "ZooKeeper":
        jars = await asyncio.to_thread(
            fetch, FOLDER, Path(__file__).parent / "pom.xml", "zookeeper-3.9.4"
        )
        configuration = self._directory / "zoo.cfg"
        configuration.write_text(
            f"dataDir={self._directory}/zookeeper\nclientPort={self.port}\n"
            f"clientPortAddress={HOST}\nadmin.enableServer=false\ntickTime=2000\n"
        )
        memory = ("-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
        command: list[str | Path] = [java(), *memory, "-cp", f"{jars}/*", _MAIN, configuration]
        self._process = Process("zookeeper", command, self._directory / "zookeeper.log")
        await self._process.start()
        await wait_until(self._answers, 60, "ZooKeeper answers")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._process.kill()

    async def _answers(self) -> bool:
        assert self._process.running, f"ZooKeeper ended: {self._process.output()}"
        try:
            _, writer = await asyncio.open_connection(HOST, self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def replica(self, directory: Path, name: str, statements: list[str]) -> list[str]:
        """What a process of its own answers to each statement, `ERROR ...` for an error."""
        configuration = _folder(directory) / "config.xml"
        configuration.write_text(
            f"""<clickhouse>
    <macros><shard>1</shard><replica>{name}</replica></macros>
    <zookeeper><node><host>{HOST}</host><port>{self.port}</port></node></zookeeper>
    <remote_servers><main><shard><internal_replication>true</internal_replication>
        <replica><host>{HOST}</host><port>1</port></replica></shard></main></remote_servers>
</clickhouse>"""
        )
        address = f"{directory / 'data'}?config-file={configuration}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _RUN, address),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate(json.dumps(statements).encode())
        assert process.returncode == 0, errors.decode()[-2000:]
        answers: list[str] = json.loads(output.decode().splitlines()[-1])
        return answers
