"""What is on its way to the forwarder: the queue's oldest drafts as one packet."""

import socket
from collections import deque
from collections.abc import Sequence

from activity_emit.event.draft import Committed, Draft
from activity_emit.forwarder.packets import LIMIT, drafts_packet, send
from activity_emit.metrics import PublisherMetrics

_DRAFTS = 500  # in one packet, at most


class Outgoing:
    """Who uses it holds the client's lock."""

    def __init__(self, queue: "deque[Draft | Committed]", metrics: PublisherMetrics) -> None:
        self._queue = queue
        self._metrics = metrics
        self._taken: list[Draft | Committed] = []  # what `_packet` holds
        self._packet = b""  # it did not go through yet
        self._entrusted: list[Draft | Committed] = []  # to a forwarder that has not reported yet
        self.confirmed = False  # it has
        self._most = _DRAFTS  # so many have fitted into a packet lately
        self.dropped = metrics.dropped  # before the first event of the forwarder that is there

    @property
    def pending(self) -> int:
        """Drafts in a packet that did not go through yet."""
        return len(self._taken)

    def send(self, end: socket.socket) -> None:
        """The packet that did not go through, else the next one; the queue may not be empty then.

        Raises like `packets.send`. The packet stays until it has gone through.
        """
        if not self._packet:
            self._take()
        send(end, self._packet)
        if not self.confirmed:
            self._entrusted += self._taken
        self._taken, self._packet = [], b""

    @property
    def has_entrusted(self) -> bool:
        """Whether something is at a forwarder that has not reported yet."""
        return bool(self._entrusted)

    def confirm(self) -> None:
        """The forwarder has reported: what it was sent is its own."""
        self.confirmed, self._entrusted = True, []

    def restart(self) -> None:
        """The next forwarder counts from here, also what an earlier one did not get."""
        self.dropped = self._metrics.dropped
        self.confirmed = False
        if self._taken:
            self._packet = self._packet_of(self._taken)

    def give_back(self) -> bool:
        """There is no forwarder: what no forwarder has is the queue's again. Whether there is
        anything in it."""
        self._queue.extendleft(reversed(self._entrusted + self._taken))
        self._taken, self._packet, self._entrusted = [], b"", []
        return bool(self._queue)

    def _take(self) -> None:
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._most))]
        packet = self._packet_of(taken)
        while len(packet) > LIMIT and len(taken) > 1:
            self._most = len(taken) // 2
            self._queue.extendleft(reversed(taken[self._most :]))
            del taken[self._most :]
            packet = self._packet_of(taken)
        if 2 * len(packet) < LIMIT:
            self._most = min(2 * self._most, _DRAFTS)
        self._taken, self._packet = taken, packet

    def _packet_of(self, taken: Sequence[Draft | Committed]) -> bytes:
        plain = [draft.draft if isinstance(draft, Committed) else draft for draft in taken]
        return drafts_packet(self._metrics.dropped - self.dropped, plain)
