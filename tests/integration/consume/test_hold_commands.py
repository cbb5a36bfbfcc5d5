"""`activity hold` and `erasures --again`, as people type them: what may not go, and what must go
once more."""

import functools
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.dlq import Command
from tests.support.forget import number
from tests.support.query import insert, row

ERASE = ("erase", "--org", "acme", "--user", "ada")


@pytest.fixture
def typed(activity: Command, tmp_path: Path) -> Command:
    """`activity`, beside no consumer that would have to be waited for."""
    return functools.partial(
        activity,
        ACTIVITY_SPOOL_DIR=str(tmp_path / "spool"),
        ACTIVITY_CONSUMER_ERASURES_REFRESH_S="0.1",
        ACTIVITY_CONSUMER_SESSION_TIMEOUT_S="1",
    )


async def write(clickhouse: AsyncClient, *users: str, org: str = "acme") -> None:
    """A row of each."""
    at = datetime.now(UTC) - timedelta(hours=1)
    await insert(clickhouse, [row(org, at, user_id=user) for user in users])


async def of_ada(clickhouse: AsyncClient) -> int:
    return await number(clickhouse, "SELECT count() FROM events WHERE user_id = 'ada'")


async def test_a_hold_keeps_and_its_end_lets_go(typed: Command, clickhouse: AsyncClient) -> None:
    await write(clickhouse, "ada", "bob")
    add = ("hold", "add", "--org", "acme", "--reason", "case 7", "--by", "counsel")
    status, output, errors = await typed(*add)
    assert status == 0 and output.startswith(b"added hold "), errors
    [hold] = [word for word in output.decode().split() if len(word) == 12 and word.isalnum()]
    assert "case 7" in output.decode() and "counsel" in output.decode()

    status, output, _ = await typed("hold", "list")
    assert status == 0 and hold.encode() in output and b"case 7" in output
    status, _, errors = await typed(*ERASE)
    assert status == 1 and len(errors.strip().splitlines()) == 1
    assert "legal hold" in errors and f"activity hold remove {hold}" in errors
    assert await of_ada(clickhouse) == 1

    status, output, errors = await typed("hold", "remove", hold, "--by", "judge")
    assert status == 0 and output.startswith(b"removed hold"), errors
    status, output, _ = await typed("hold", "list")
    assert status == 0 and hold.encode() not in output
    status, output, _ = await typed("hold", "list", "--all")
    assert status == 0 and hold.encode() in output and b"judge" in output
    status, output, errors = await typed(*ERASE)
    assert status == 0 and b"nothing is left" in output, output.decode() + errors
    assert await of_ada(clickhouse) == 0


async def test_a_hold_of_a_user_is_not_anothers(typed: Command, clickhouse: AsyncClient) -> None:
    await write(clickhouse, "ada", "bob")
    add = ("hold", "add", "--org", "acme", "--user", "bob", "--reason", "case 8")
    assert (await typed(*add))[0] == 0
    assert (await typed(*ERASE))[0] == 0
    status, _, errors = await typed("erase", "--org", "acme")
    assert status == 1 and "user bob of org acme" in errors
    users = await clickhouse.query("SELECT user_id FROM events")
    assert users.result_rows == [("bob",)]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("hold", "remove", "nothere"), "there is no hold 'nothere'"),
        (("hold", "add", "--org", "", "--reason", "x"), "--org"),
        (("hold", "add", "--org", "acme", "--user", "", "--reason", "x"), "--user"),
        (("hold", "add", "--org", "acme"), "--reason"),
    ],
)
async def test_a_wrong_word_is_one_line(
    typed: Command, clickhouse: AsyncClient, arguments: tuple[str, ...], says: str
) -> None:
    status, _, errors = await typed(*arguments)
    assert status != 0 and says in errors and "Traceback" not in errors
    assert await number(clickhouse, "SELECT count() FROM holds") == 0


async def test_after_a_restore_it_is_erased_again(typed: Command, clickhouse: AsyncClient) -> None:
    await write(clickhouse, "ada", "bob")
    await write(clickhouse, "ada", org="other")
    assert (await typed(*ERASE))[0] == 0
    await write(clickhouse, "ada", "ada")  # as a backup has them
    assert await of_ada(clickhouse) == 3

    # What was put on hold since then stays, and the output says so.
    status, output, _ = await typed("hold", "add", "--org", "acme", "--reason", "case 9")
    [hold] = [word for word in output.decode().split() if len(word) == 12 and word.isalnum()]
    status, output, errors = await typed("erasures", "--again")
    assert f"legal hold {hold}" in output.decode(), errors
    assert await of_ada(clickhouse) == 3

    assert (await typed("hold", "remove", hold))[0] == 0
    status, output, errors = await typed("erasures", "--again")
    assert status == 0 and b"gone once more" in output, errors
    rows = await clickhouse.query("SELECT org_id, user_id FROM events ORDER BY ALL")
    assert rows.result_rows == [("acme", "bob"), ("other", "ada")]
