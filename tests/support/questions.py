"""docs/questions.md: its SQL, and the first rows of its answers.

`python -m tests.support.questions` writes the answers anew; `--time DATABASE` prints how long each
question takes there, of the engine that the environment names.
"""

import asyncio
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clickhouse_connect.driver.asyncclient import AsyncClient

from activity_consume.settings import ClickHouseSettings
from activity_deploy.catalog.engine import empty_engine
from activity_deploy.generate_people import People
from activity_deploy.migration_run import migrate
from tests.support.clickhouse import connect

PAGE = Path(__file__).parents[2] / "docs" / "questions.md"
ROWS, UNTIL = 20_000, datetime(2026, 3, 4, 5, tzinfo=UTC)
_FIRST_ROWS = 5
_NOW = f"toDateTime('{UNTIL:%Y-%m-%d %H:%M:%S}', 'UTC')"
_QUESTION = re.compile(
    r"^## (?P<title>.+)\n(?P<before>(?:(?!## ).*\n)*?)```sql\n(?P<sql>(?:(?!```).*\n)+)```\n"
    r"(?P<answer>(?:\n(?:\|.*\n)+)?)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Question:
    """`answer`: a Markdown table of the page, '' where there is none yet."""

    title: str
    sql: str
    answer: str


def questions(text: str) -> Iterator[Question]:
    """Those of a page."""
    for found in _QUESTION.finditer(text):
        yield Question(found["title"], found["sql"].strip(), found["answer"].strip())


async def fill(client: AsyncClient) -> None:
    """The page's events, into the client's database."""
    async for _ in People(ROWS, UNTIL).insert(client):
        pass


async def first_rows(client: AsyncClient, sql: str) -> str:
    """The first rows of an answer, as a Markdown table. Raises ClickHouseError."""
    at_that_time = sql.replace("now()", _NOW)
    answer = await client.raw_query(at_that_time, fmt="Markdown")
    return "\n".join(answer.decode().strip().splitlines()[: 2 + _FIRST_ROWS])


async def _write() -> None:
    text = PAGE.read_text(encoding="utf-8")
    async with empty_engine() as client:
        await migrate(client, "activity")
        client.database = "activity"
        await fill(client)
        answers = {one.title: await first_rows(client, one.sql) for one in questions(text)}
    written = _QUESTION.sub(
        lambda found: (
            f"## {found['title']}\n{found['before']}```sql\n{found['sql']}```\n\n"
            f"{answers[found['title']]}\n"
        ),
        text,
    )
    PAGE.write_text(written, encoding="utf-8")


async def _time(database: str) -> None:
    settings = ClickHouseSettings()
    async with await connect(settings.url, database) as client:
        for one in questions(PAGE.read_text(encoding="utf-8")):
            times = []
            for _ in range(3):
                begin = time.perf_counter()
                await client.raw_query(one.sql, fmt="Null")
                times.append(time.perf_counter() - begin)
            print(f"{min(times):7.2f} s  {one.title}")  # noqa: T201


if __name__ == "__main__":
    asyncio.run(_time(sys.argv[2]) if sys.argv[1:2] == ["--time"] else _write())
