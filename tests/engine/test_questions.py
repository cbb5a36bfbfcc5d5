"""docs/questions.md, as it stands there: each question answers what the page shows."""

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.questions import PAGE, fill, first_rows, questions

QUESTIONS = list(questions(PAGE.read_text(encoding="utf-8")))


def test_there_are_fifteen() -> None:
    assert [one.title.split(".")[0] for one in QUESTIONS] == [str(n) for n in range(1, 16)]


async def test_each_answers_what_the_page_shows(clickhouse: AsyncClient) -> None:
    await fill(clickhouse)
    for one in QUESTIONS:
        answer = await first_rows(clickhouse, one.sql)
        assert answer.count("\n") >= 2, f"no row: {one.title}"
        assert answer == one.answer, f"{one.title}: `make questions`"


@pytest.mark.parametrize("internal", ["_ingested_at", "FROM events", "_offset"])
def test_they_are_asked_of_the_views(internal: str) -> None:
    assert [
        one.title for one in QUESTIONS if internal in one.sql.split() or internal in one.sql
    ] == []
