"""A cancel that comes late: its query has ended, and another one has its connection."""

import asyncio
import sys
from pathlib import Path

# In a process of its own: there is one engine per process.
_SCRIPT = """
import sys, threading
from pathlib import Path
from activity_deploy.clickhouse.engine import Engine
from activity_deploy.clickhouse.run import Run
from activity_deploy.clickhouse.statement import parse

def run(sql):
    return Run(parse(sql, ()), ("", ()), {}, "TSV")

engine = Engine(Path(sys.argv[1]))
ended = run(b"SELECT 1")
engine.execute(ended)
other = run(b"SELECT sum(sleepEachRow(0.02)) FROM numbers(50) SETTINGS max_block_size = 1")
answers = []
thread = threading.Thread(target=lambda: answers.append(engine.execute(other)))
thread.start()
while thread.is_alive():
    engine.cancel(ended)
print(answers[0].body.decode().strip())
engine.close(5)
"""


async def test_it_stops_no_other_query(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _SCRIPT,
        tmp_path / "chdb",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, errors = await asyncio.wait_for(process.communicate(), 60)
    assert out == b"0\n", errors.decode()[-300:]
