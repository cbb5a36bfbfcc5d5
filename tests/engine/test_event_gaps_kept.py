"""What was forgotten is not lost, and what was lost between it still is."""

from datetime import UTC, datetime, timedelta

from clickhouse_connect.driver.asyncclient import AsyncClient

from tests.support.query import insert, row

Gap = tuple[int, int]

_MARK = (
    "INSERT INTO erased_sequences SELECT producer_id, seq, {expired:Bool}, timestamp FROM events"
    " WHERE "
)
_SYNC = {"mutations_sync": 2}


async def arrive(
    clickhouse: AsyncClient, *numbers: int, per_day: int = 10**9, days: int = 90
) -> None:
    """Even numbers are of one user, odd ones of another; `per_day`, beginning `days` ago."""
    begin = datetime.now(UTC) - timedelta(days=days)
    rows = [
        row(
            "acme",
            begin + timedelta(days=n / per_day),
            producer_id="p",
            seq=n,
            user_id=("ada", "bob")[n % 2],
        )
        for n in numbers
    ]
    await insert(clickhouse, rows)


async def forget(clickhouse: AsyncClient, where: str, *, expired: bool = False) -> None:
    await clickhouse.command(_MARK + where, parameters={"expired": expired})
    await clickhouse.command(f"ALTER TABLE events DELETE WHERE {where}", settings=_SYNC)


async def gaps(clickhouse: AsyncClient) -> list[Gap]:
    result = await clickhouse.query(
        "SELECT first_missing, last_missing FROM event_gaps ORDER BY first_missing"
    )
    return [(first, last) for first, last in result.result_rows]


async def test_an_erased_user_leaves_no_gap_and_hides_none(clickhouse: AsyncClient) -> None:
    """The control: 51, of the one who is kept, was really lost, and so was 60, of the other."""
    await arrive(clickhouse, *({*range(100)} - {51, 60}))
    assert await gaps(clickhouse) == [(51, 51), (60, 60)]
    await forget(clickhouse, "user_id = 'ada'")
    assert await gaps(clickhouse) == [(51, 51), (60, 60)]


async def test_a_delete_without_a_mark_does_look_like_loss(clickhouse: AsyncClient) -> None:
    await arrive(clickhouse, *range(10))
    await clickhouse.command("ALTER TABLE events DELETE WHERE user_id = 'ada'", settings=_SYNC)
    assert len(await gaps(clickhouse)) == 5


async def test_the_begin_and_the_end_of_a_sequence(clickhouse: AsyncClient) -> None:
    await arrive(clickhouse, *range(30))
    await forget(clickhouse, "seq < 10 OR seq >= 20")
    assert await gaps(clickhouse) == []
    await forget(clickhouse, "true")
    assert await gaps(clickhouse) == []


async def test_what_has_run_out_takes_its_losses_with_it(clickhouse: AsyncClient) -> None:
    """Lost: 5 in what has run out, 50 at its edge, 80 in what is kept."""
    await arrive(clickhouse, *({*range(100)} - {5, 50, 80}))
    await forget(clickhouse, "seq < 50", expired=True)
    assert await gaps(clickhouse) == [(80, 80)]


async def test_marked_before_it_is_deleted_and_marked_twice(clickhouse: AsyncClient) -> None:
    """An erasure that was killed between its steps, and one that is run again."""
    await arrive(clickhouse, *({*range(20)} - {7}))
    for _ in range(2):
        await clickhouse.command(_MARK + "seq < 10", parameters={"expired": False})
        assert await gaps(clickhouse) == [(7, 7)]
    await forget(clickhouse, "seq < 10")
    assert await gaps(clickhouse) == [(7, 7)]


async def test_a_ttl_of_the_operators_own(clickhouse: AsyncClient) -> None:
    """Nothing tells what it has deleted; so only neighbours that are surely kept say something."""
    numbers = {*range(900)} - {20, 595, 850}
    await arrive(clickhouse, *numbers, per_day=10)
    assert len(await gaps(clickhouse)) == 3
    await clickhouse.command(
        "ALTER TABLE events MODIFY TTL toDateTime(timestamp) + INTERVAL 7 DAY TO DISK 'default',"
        " toDateTime(timestamp) + INTERVAL 30 DAY",
        settings=_SYNC,
    )
    await clickhouse.command("OPTIMIZE TABLE events FINAL")
    left = await clickhouse.query("SELECT min(seq) FROM events")
    assert 595 < left.result_rows[0][0] < 620
    assert await gaps(clickhouse) == [(850, 850)]
