"""What both wire fuzzers need: damage to bytes, sockets that take anything, memory of a process."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

DEADLINE_S = 30.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def damaged(chance: random.Random, data: bytes) -> bytes:
    """One to four of: a bit flipped, bytes changed, cut out, repeated, put in, cut off."""
    raw = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, size = chance.randrange(len(raw) + 1), chance.randint(1, 8)
        match chance.randrange(6):
            case 0 if at < len(raw):
                raw[at] ^= 1 << chance.randrange(8)
            case 1:
                raw[at : at + size] = chance.randbytes(len(raw[at : at + size]))
            case 2:
                del raw[at : at + size]
            case 3:
                raw[at:at] = raw[at : at + size * 4]
            case 4:
                raw[at:at] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
            case _:
                del raw[max(at, 1) :]
    return bytes(raw)


def pour(chance: random.Random, port: int, data: bytes) -> bytes:
    """Send ``data`` in pieces on a connection of its own; what came back before the end.

    The connection ends in one of the ways that clients end: closed, reset, or half closed.
    """
    got = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(DEADLINE_S)
        pieces = chance.choice((1, 1, 2, 7))
        step = max(1, -(-len(data) // pieces))
        for at in range(0, len(data), step):
            sock.sendall(data[at : at + step])
        match chance.randrange(6):
            case 0:
                pass
            case 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            case _:
                sock.shutdown(socket.SHUT_WR)
                while piece := sock.recv(65536):
                    got += piece
    return got
