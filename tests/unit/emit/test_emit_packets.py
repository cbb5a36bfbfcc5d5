"""Packets arrive whole, in order, also those that are larger than the kernel takes."""

import contextlib
import socket
from collections import deque
from collections.abc import Iterator

import pytest

from activity_emit.event.draft import Committed, Draft, unpack_all
from activity_emit.forwarder.outgoing import Outgoing
from activity_emit.forwarder.packets import LIMIT, packet_of, receive, send, socket_pair
from activity_emit.metrics import PublisherMetrics


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket_pair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        yield ours, theirs


Ends = tuple[socket.socket, socket.socket]


@pytest.mark.parametrize("size", [0, 1, LIMIT - 5, LIMIT - 4, LIMIT, 5_000_000])
def test_each_packet_is_one_whatever_its_size(ends: Ends, size: int) -> None:
    ours, theirs = ends
    for value in (b"x" * size, {"n": size}):
        send(ours, packet_of(value))
    assert receive(theirs) == b"x" * size
    assert receive(theirs) == {"n": size}
    with pytest.raises(BlockingIOError):
        receive(theirs)


def test_a_system_that_takes_less_than_a_packet_gets_it_all_the_same(ends: Ends) -> None:
    ours, theirs = ends
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    value = b"x" * 30_000
    send(ours, packet_of(value))
    assert receive(theirs) == value


def test_without_room_nothing_is_sent_and_nothing_is_half_sent(ends: Ends) -> None:
    ours, theirs = ends
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            send(ours, packet_of((sent, b"x" * 10_000)))
            sent += 1
    assert sent > 10
    assert [receive(theirs)[0] for _ in range(sent)] == list(range(sent))


def test_who_ends_with_something_unread_has_still_sent_what_it_has_sent(ends: Ends) -> None:
    ours, theirs = ends
    send(theirs, packet_of("nobody reads this"))
    for number in range(3):
        send(ours, packet_of(number))
    ours.close()
    assert [receive(theirs) for _ in range(4)] == [0, 1, 2, None]
    with pytest.raises(OSError, match="Broken pipe"):
        send(theirs, packet_of(1))


def drafts_in(end: socket.socket) -> tuple[int, list[Draft]]:
    dropped, packed = receive(end)
    return dropped, unpack_all(packed)


def test_drafts_that_are_too_many_for_one_packet_go_in_several_and_in_order(ends: Ends) -> None:
    ours, theirs = ends
    drafts: list[Draft] = [{"n": n, "note": "x" * 1_000} for n in range(200)]
    queue: deque[Draft | Committed] = deque(drafts)
    outgoing = Outgoing(queue, PublisherMetrics())
    found: list[Draft] = []
    while queue:
        outgoing.send(ours)
        found += drafts_in(theirs)[1]
    assert found == drafts


def test_what_a_dead_forwarder_did_not_get_counts_from_the_next_ones_beginning(ends: Ends) -> None:
    """Else the next one's `seq` would run ahead by what was dropped, and then back."""
    ours, _ = ends
    metrics = PublisherMetrics()
    queue: deque[Draft | Committed] = deque([{"n": 0}])
    outgoing = Outgoing(queue, metrics)
    metrics.dropped = 7
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(b"x" * 10_000)
    with pytest.raises(BlockingIOError):
        outgoing.send(ours)
    assert outgoing.pending == 1
    outgoing.restart()
    fresh, forwarder = socket_pair()
    with fresh, forwarder:
        outgoing.send(fresh)
        assert drafts_in(forwarder) == (0, [{"n": 0}])
        metrics.dropped = 9
        queue.append({"n": 1})
        outgoing.send(fresh)
        assert drafts_in(forwarder) == (2, [{"n": 1}])
