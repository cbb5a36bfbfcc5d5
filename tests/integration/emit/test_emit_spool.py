"""The spool on a real disk: what was committed survives, and one owner at a time."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from activity_emit.delivery.outbox import Outbox
from activity_emit.event.encode import ProducerRecord
from activity_emit.logs import RateLimitedLogger
from activity_emit.metrics import PublisherMetrics
from activity_spool.spool import Spool, SpoolError, open_spool, orphans

MIB = 1 << 20


def message(number: int) -> ProducerRecord:
    return ProducerRecord(b"o1", b'{"org_id":"o1","seq":%d}' % number)


def outbox(spool: Spool | None, memory: int = 10) -> tuple[Outbox, PublisherMetrics]:
    counts = PublisherMetrics()
    return Outbox(spool, (memory, 64 << 20), counts, RateLimitedLogger()), counts


def test_rows_come_back_in_order_and_a_deleted_one_does_not(tmp_path: Path) -> None:
    with contextlib.closing(open_spool(tmp_path, "w1", MIB)) as spool:
        assert [spool.append(b"%d" % n, 1) for n in range(5)] == [1, 2, 3, 4, 5]
        rows = spool.read(0, 3)
        assert [row.lines for row in rows] == [b"0", b"1", b"2"]
        spool.delete(rows)
        assert [row.number for row in spool.read(0, 10)] == [4, 5]
        assert (spool.rows, spool.bytes) == (2, 2)


def test_numbers_are_never_used_twice(tmp_path: Path) -> None:
    with contextlib.closing(open_spool(tmp_path, "w1", MIB)) as spool:
        spool.append(b"a", 1)
        spool.delete(spool.read(0, 1))
        assert spool.append(b"b", 1) == 2


def test_the_cap_refuses_the_newest_until_there_is_room(tmp_path: Path) -> None:
    with contextlib.closing(open_spool(tmp_path, "w1", 10)) as spool:
        assert spool.append(b"123456", 1) == 1
        assert spool.append(b"123456", 1) is None
        spool.delete(spool.read(0, 1))
        assert spool.append(b"123456", 1) == 2


def test_an_empty_spool_leaves_nothing_behind(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "deep" / "er", "w1", MIB)
    spool.append(b"a", 1)
    spool.delete(spool.read(0, 1))
    spool.close()
    assert list((tmp_path / "deep" / "er").iterdir()) == []


def test_a_living_workers_spool_is_nobody_elses(tmp_path: Path) -> None:
    with contextlib.closing(open_spool(tmp_path, "w1", MIB)) as spool:
        spool.append(b"a", 1)
        assert list(orphans(tmp_path, MIB)) == []


def test_a_worker_killed_outright_leaves_what_it_committed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; from activity_spool.spool import open_spool\n"
        "spool = open_spool(pathlib.Path(sys.argv[1]), 'w1', 1 << 20)\n"
        "for n in range(100): spool.append(b'%d' % n, 1)\n"
        "print('committed', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == b"committed\n"
        assert list(orphans(tmp_path, MIB)) == []
        worker.send_signal(signal.SIGKILL)
    (orphan,) = orphans(tmp_path, MIB)
    assert list(orphans(tmp_path, MIB)) == []  # ours now
    assert [row.lines for row in orphan.read(0, 1000)] == [b"%d" % n for n in range(100)]
    orphan.delete(orphan.read(0, 1000))
    orphan.close()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SpoolError, match="file"):
        open_spool(tmp_path / "file" / "spool", "w1", MIB)


def test_a_damaged_file_is_one_clear_error_and_its_lock_is_free_again(tmp_path: Path) -> None:
    (tmp_path / "w1.spool").write_bytes(b"not a database" * 1000)
    for _ in range(2):
        with pytest.raises(SpoolError, match="not a database"):
            open_spool(tmp_path, "w1", MIB)
    assert list(orphans(tmp_path, MIB)) == []


def test_what_an_orphan_holds_is_sent_as_resent_and_then_forgotten(tmp_path: Path) -> None:
    dead = open_spool(tmp_path, "dead", MIB)
    dead.append(b"\n".join(message(n).value for n in range(3)), 3)
    dead.close()
    box, _ = outbox(open_spool(tmp_path, "alive", MIB))
    box.add([message(9)])
    box.adopt(tmp_path, MIB)
    batches = box.head(100)
    assert [(batch.resent, batch.records) for batch in batches] == [
        (False, [message(9)]),
        (True, [message(0), message(1), message(2)]),
    ]
    box.done(batches)
    assert [path.name for path in tmp_path.glob("*.spool")] == ["alive.spool"]
    box.close()


def test_more_than_the_window_waits_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    box, _ = outbox(open_spool(tmp_path, "w1", MIB))
    for flush in range(100):
        assert box.add([message(flush * 100 + n) for n in range(100)])
    seen: list[ProducerRecord] = []
    while batches := box.head(1000):
        assert box._events <= 2100 + 20 * 100
        seen += [item for batch in batches for item in batch.records]
        box.done(batches)
    assert seen == [message(n) for n in range(10_000)]
    assert box.waiting() == (0, 0)
    box.close()


def test_a_disk_that_fails_is_replaced_by_memory_up_to_its_bound(tmp_path: Path) -> None:
    spool = open_spool(tmp_path, "w1", MIB)
    spool._db.execute("PRAGMA query_only = ON")  # SQLite's own way to refuse every write
    box, counts = outbox(spool, memory=2)
    assert box.has_room()
    assert box.add([message(1)])
    assert box.add([message(2)])
    assert not box.has_room()
    assert not box.add([message(3)])
    assert counts.spool_errors == 3
    assert [item for batch in box.head(10) for item in batch.records] == [message(1), message(2)]
    spool._db.execute("PRAGMA query_only = OFF")
    box.done(box.head(10))
    assert box.add([message(4)])
    assert box.waiting()[1] > 0
    box.done(box.head(10))
    box.close()
    assert list(tmp_path.iterdir()) == []
