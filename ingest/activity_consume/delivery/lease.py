"""Who may insert for a partition, and until when: a promise kept in the commit's metadata.

Every commit carries a lease and is fenced by the group's generation; an insert carries the lease of
a commit that succeeded, and the table refuses it once that time is past (code 469). So the last
committed metadata of a partition bounds every insert of its former owner that may still be on the
way, and a new owner only has to wait it out.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

_VERSION = 1
# The largest metadata a broker takes by default is 4096 bytes; ours is about 90.


@dataclass(frozen=True, slots=True)
class Lease:
    """`until_ms`: Unix milliseconds of the ClickHouse server's clock. `released`: nothing of the
    owner's is on the way, a new owner need not wait. `written`: the first offset of the youngest
    batch of which rows are in the table, -1 if that is not known: a table without it is an older
    one (restored from a backup), and must not be taken for what the commit says. `mark`: of one
    release alone; where the last commit has it, nobody has had the partition since."""

    until_ms: int
    released: bool = False
    written: int = -1
    mark: str = ""

    def encode(self, generation: int = 0) -> str:
        """As the metadata of a commit. `generation`: of the topic, see Source."""
        of_topic = {"generation": generation} if generation else {}
        of_table = {"written": self.written} if self.written >= 0 else {}
        of_release = {"mark": self.mark} if self.mark else {}
        return json.dumps(
            {
                "activity": _VERSION,
                "lease": self.until_ms,
                "released": self.released,
                **of_topic,
                **of_table,
                **of_release,
            },
            separators=(",", ":"),
        )

    @staticmethod
    def decode(metadata: str, generation: int = 0) -> "Lease | None":
        """None: somebody else has committed this (a tool that reset the group, an old consumer), or
        it was for another topic of the same name."""
        try:
            read = json.loads(metadata)
            if read["activity"] != _VERSION or read.get("generation", 0) != generation:
                return None
            written = int(read.get("written", -1))
            mark = str(read.get("mark", ""))
            return Lease(int(read["lease"]), bool(read["released"]), written, mark)
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return None


class ServerClock:
    """The ClickHouse server's clock, without asking it each time.

    An error of this clock costs time, never correctness: leases are compared on the server.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._server_ms = 0
        self._read_at = float("-inf")

    def learn(self, server_ms: int) -> None:
        """The server's time, as it has just answered."""
        self._server_ms = server_ms
        self._read_at = self._monotonic()

    def age(self) -> float:
        """Seconds since the server was asked."""
        return self._monotonic() - self._read_at

    def now_ms(self) -> int:
        """Unix milliseconds."""
        return self._server_ms + int(self.age() * 1000)
