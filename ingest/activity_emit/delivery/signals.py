"""What a relay's tasks tell each other. All of it belongs to the relay's event loop."""

import asyncio


class Signals:
    """Events of one run. `filled`: something is in the queue. `urgent`: somebody waits for the
    commit. `stored`: the outbox has more. `room`: the outbox has less. `stopping`: no more comes.
    """

    __slots__ = ("collected", "filled", "room", "stopping", "stored", "urgent")

    def __init__(self) -> None:
        self.filled, self.urgent = asyncio.Event(), asyncio.Event()
        self.stored, self.room = asyncio.Event(), asyncio.Event()
        self.stopping = asyncio.Event()
        self.collected = False  # after `stopping`: the queue is empty, the outbox has everything

    def stop(self) -> None:
        """Wake everybody up: it is time to end."""
        for event in (self.stopping, self.filled, self.urgent, self.stored, self.room):
            event.set()
