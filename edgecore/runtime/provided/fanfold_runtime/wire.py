"""HTTP/1.1 over a raw socket, one connection per thread, kept open.

Measured: http.client costs the caller 152 us per request, this 36 us; a new connection for
each, as AWS's own client makes, 328 us. The core's Unix socket, where it offers one, saves
both sides half of what loopback TCP costs (docs/performance.md).
"""

import errno
import os
import socket
import struct
import threading

TYPE_CHECKING = False  # Python 2.7 has no typing
if TYPE_CHECKING:
    from typing import Optional

READ_BYTES = 65536
# As a number: to join two flags of `socket` costs more than the call.
_PEEK = int(socket.MSG_PEEK | socket.MSG_DONTWAIT)
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINTR)
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 30.0
"""For calls that the core answers at once; polls wait for ever."""
_ANSWER_TIMEVAL = struct.pack("ll", int(ANSWER_TIMEOUT_S), 0)


class WireError(Exception):
    """The core refused (``status``) or could not be reached (status 0)."""

    def __init__(self, message, status=0):
        # type: (str, int) -> None
        Exception.__init__(self, message)
        self.status = status


class Reply(object):
    """One response; names of headers that matter are attributes."""

    __slots__ = (
        "body", "context", "error", "invocation_id", "items", "keep_alive", "length", "status",
    )  # fmt: skip

    def __init__(self, head):
        # type: (bytes) -> None
        lines = head.split(b"\r\n")
        self.status = int(lines[0].split(b" ", 2)[1])
        self.length, self.body, self.keep_alive, self.items = 0, b"", True, 1
        self.context = self.error = self.invocation_id = ""
        for line in lines[1:]:
            name, _, value = line.partition(b":")
            name = name.lower()
            if name == b"content-length":
                self.length = int(value)
            elif name == b"x-amz-invocationid":
                self.invocation_id = value.strip().decode("latin-1")
            elif name == b"x-amz-client-context":
                self.context = value.strip().decode("latin-1")
            elif name == b"x-amz-function-error":
                self.error = value.strip().decode("latin-1")
            elif name == b"x-fanfold-items":
                self.items = int(value)
            elif name == b"connection" and value.strip().lower() == b"close":
                self.keep_alive = False


class Wire(object):
    """One connection to the core; not for use by two threads at once.

    The kernel keeps the time limits (SO_RCVTIMEO): Python's own cost a poll and an ioctl
    for every read and write.
    """

    def __init__(self, port, unix_name=""):
        # type: (int, str) -> None
        """``unix_name``: the core's Unix socket, ``@`` for an abstract one; "": TCP."""
        self._port = port
        self._unix_name = unix_name
        self._socket = None  # type: Optional[socket.socket]
        # Read and not used yet: from `_at` on.
        self._buffer, self._at = b"", 0

    def close(self):
        # type: () -> None
        if self._socket is not None:
            self._socket.close()
        self._socket, self._buffer, self._at = None, b"", 0

    def _connect(self):
        # type: () -> socket.socket
        try:
            found = self._unix() or self._tcp()
        except EnvironmentError as error:
            raise WireError("no core on port {}: {}".format(self._port, error))
        found.settimeout(None)
        for limit in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            found.setsockopt(socket.SOL_SOCKET, limit, _ANSWER_TIMEVAL)
        self._socket, self._buffer, self._at = found, b"", 0
        return found

    def _unix(self):
        # type: () -> Optional[socket.socket]
        """Connected, or None: then TCP serves as well."""
        if not self._unix_name:
            return None
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.settimeout(CONNECT_TIMEOUT_S)
            found.connect(self._unix_name.replace("@", "\0", 1))
        except EnvironmentError:
            found.close()
            return None
        return found

    def _tcp(self):
        # type: () -> socket.socket
        found = socket.create_connection(("127.0.0.1", self._port), CONNECT_TIMEOUT_S)
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return found

    def send(self, data):
        # type: (bytes) -> None
        """Send whole requests; an idle connection that the core closed is opened again.

        Raises WireError. Only a send that fails is repeated: after it the request may have
        been carried out, and at most once is the contract.
        """
        if self._socket is not None and _is_closed(self._socket):
            self.close()
        connected = self._socket or self._connect()
        try:
            connected.sendall(data)
        except EnvironmentError as error:
            self.close()
            raise WireError("sending to the core failed: {}".format(error))

    def receive(self, waits=False):
        # type: (bool) -> Reply
        """The next reply, in order of the requests; ``waits``: for a poll. Raises WireError."""
        try:
            reply = self._receive(waits)
        except (EnvironmentError, ValueError, IndexError) as error:
            self.close()
            raise WireError("reading from the core failed: {}".format(error))
        if not reply.keep_alive:
            self.close()
        if reply.status != 200:
            text = reply.body.decode("utf-8", "replace").strip()
            raise WireError("the core answered {}: {}".format(reply.status, text), reply.status)
        return reply

    def _receive(self, waits):
        # type: (bool) -> Reply
        while True:
            end = self._buffer.find(b"\r\n\r\n", self._at)
            if end >= 0:
                break
            rest = self._buffer[self._at :]
            self._buffer, self._at = rest + self._read(waits and not rest), 0
        reply = Reply(self._buffer[self._at : end])
        begin = end + 4
        if len(self._buffer) < begin + reply.length:
            self._read_on(begin, reply.length)
            begin = 0
        self._at = begin + reply.length
        reply.body = self._buffer[begin : self._at]
        if self._at == len(self._buffer):
            self._buffer, self._at = b"", 0
        return reply

    def _read_on(self, begin, length):
        # type: (int, int) -> None
        """What is buffered is from ``begin`` on, and has ``length`` bytes at least."""
        parts = [self._buffer[begin:]]
        missing = length - len(parts[0])
        while missing > 0:
            parts.append(self._read(size=max(missing, READ_BYTES)))
            missing -= len(parts[-1])
        self._buffer = b"".join(parts)

    def _read(self, waits=False, size=READ_BYTES):
        # type: (bool, int) -> bytes
        if self._socket is None:
            raise IOError("the connection was closed after the last answer")
        while True:
            try:
                data = self._socket.recv(size)
            except EnvironmentError as error:
                if error.errno not in _AGAIN:
                    raise
                if waits:  # the time limit
                    continue
                raise IOError("no answer within {:g} s".format(ANSWER_TIMEOUT_S))
            if not data:
                raise IOError("the core closed the connection")
            return data


def _is_closed(sock):
    # type: (socket.socket) -> bool
    """Whether the other side has closed (readable with nothing asked for)."""
    try:
        return sock.recv(1, _PEEK) == b""
    except EnvironmentError as error:
        return error.errno not in _AGAIN


_local = threading.local()


def wire():
    # type: () -> Wire
    """This thread's own connection; a forked child gets a new one."""
    found = getattr(_local, "wire", None)  # type: Optional[Wire]
    if found is None or _local.pid != os.getpid():
        port = int(os.environ.get("GG_DAEMON_PORT", "8000"))
        found = _local.wire = Wire(port, os.environ.get("FANFOLD_IPC_SOCKET", ""))
        _local.pid = os.getpid()
    return found
