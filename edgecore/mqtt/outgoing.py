"""What goes to one client: all of a turn of the loop in one write."""

from __future__ import annotations

import asyncio


class Outgoing:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0

    @property
    def waiting_bytes(self) -> int:
        """Not yet taken by the system, as the client does not read."""
        waiting: int = self._writer.transport.get_write_buffer_size()
        return waiting + self._unsent_bytes

    def send_soon(self, data: bytes) -> None:
        """With all that is to be sent in this turn of the loop: a packet is seldom alone, and each
        write is a system call here and a wake-up there."""
        if not self._unsent:
            self._loop.call_soon(self.send_now)
        self._unsent.append(data)
        self._unsent_bytes += len(data)

    def send_now(self) -> None:
        unsent, self._unsent, self._unsent_bytes = self._unsent, [], 0
        # asyncio complains of each write to a lost connection
        if unsent and not self._writer.is_closing():
            self._writer.write(b"".join(unsent))

    async def flush_and_close(self) -> None:
        """Where nothing may be lost on its way, a refusal for one: not aborted but closed."""
        self.send_now()
        self._writer.close()
        try:
            await asyncio.wait_for(self._writer.wait_closed(), 1.0)
        except (OSError, TimeoutError, asyncio.TimeoutError):
            return
