"""A line between device and cloud that can be slow, cut, silent or drop what is idle."""

from __future__ import annotations

import asyncio
import contextlib


class BadLine:
    """A TCP relay on ``port``. ``delay_s``: each way; ``silent``: takes and gives nothing."""

    def __init__(self, target_port: int, *, delay_s: float = 0.0, idle_s: float = 0.0) -> None:
        self._target_port = target_port
        self.delay_s, self.idle_s = delay_s, idle_s
        self.silent = False
        self.refusing = False
        self.connections = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> BadLine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection."""
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        self.connections += 1
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        for one, other in ((reader, far_writer), (far_reader, writer)):
            task = asyncio.ensure_future(self._relay(one, other, (writer, far_writer)))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader, writer, both) -> None:
        """Delay by scheduling, so that throughput stays what it is."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            while data := await asyncio.wait_for(reader.read(65_536), self.idle_s or None):
                if self.silent:
                    continue
                if self.delay_s:
                    loop.call_later(self.delay_s, _write, writer, data)
                else:
                    _write(writer, data)
        for one in both:
            loop.call_later(self.delay_s, one.transport.abort)


def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    if not writer.transport.is_closing():
        writer.write(data)
