"""Packets between a service and its forwarder: what is sent at once arrives at once.

Values go as `marshal`, which both ends can trust: they are the same interpreter and the same code.
The kernel keeps the packets apart (AF_UNIX, SOCK_SEQPACKET), so a `send` is whole or refused. What
is larger than a packet goes as a file in memory, whose descriptor is sent.
"""

import errno
import marshal
import os
import socket
from typing import Any

from activity_emit.event.draft import Draft, pack

#: Bytes; twice what a busy service hands over every 15 ms.
LIMIT = 64 * 1024
_BUFFER = 1 << 20  # bytes on their way
_ELSEWHERE = b"\0"  # no value of `marshal`: the value is in the file that came with it


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends. Raises OSError where the system has no such packets."""
    kind = getattr(socket, "SOCK_SEQPACKET", None)
    if kind is None or not hasattr(os, "memfd_create"):
        raise OSError("no packets between processes on this system")
    ends = socket.socketpair(socket.AF_UNIX, kind)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    return ends


def packet_of(value: Any) -> bytes:
    """One packet. Raises ValueError for objects other than plain values."""
    return marshal.dumps(value)


def drafts_packet(dropped: int, drafts: list[Draft]) -> bytes:
    """Drafts, and how many were dropped before the last of them."""
    return packet_of((dropped, pack(drafts)))


def send(end: socket.socket, packet: bytes) -> None:
    """All of it or nothing. Raises BlockingIOError if there is no room (TimeoutError where the
    socket has a timeout), another OSError if the other end is gone."""
    if len(packet) <= LIMIT:
        try:
            end.send(packet)
        except OSError as error:
            if error.errno != errno.EMSGSIZE:  # a system with smaller buffers
                raise
        else:
            return
    file = os.memfd_create("activity")
    try:
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(packet)
        socket.send_fds(end, [_ELSEWHERE], [file])
    finally:
        os.close(file)


def receive(end: socket.socket) -> Any:
    """The next packet's value; None when the other end is closed and everything is read.

    Raises BlockingIOError if there is nothing now, another OSError if the socket is broken.
    """
    while True:
        try:
            data, files, _, _ = socket.recv_fds(end, LIMIT, 1, socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            # Said once, and before what was sent: the other end is closed and has left something
            # of ours unread.
            continue
        break
    if files:
        with os.fdopen(files[0], "rb") as file:
            file.seek(0)
            data = file.read()
    return marshal.loads(data) if data else None  # noqa: S302 - from our parent, or our child
