"""One end of a stream socket, read and written by the event loop without ever blocking it.

Ground rules. Only the loop's thread calls anything here, except `abandon`. What cannot be written
at once is kept, and written when there is room. `on_end` is called once, when the other side is
gone; not after `close`.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable

# Larger ones are mapped and unmapped by each `recv`.
_READ_BYTES = 64 * 1024


class Pipe:
    """A socket on the loop's reader."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        *,
        on_data: Callable[[bytes], None],
        on_end: Callable[[], None],
    ) -> None:
        """Take over a connected socket, and read from it."""
        connection.setblocking(False)
        self.socket = connection
        self._loop = loop
        self._on_data = on_data
        self._on_end = on_end
        self._unwritten = bytearray()
        self._open = True
        self._owner = os.getpid()
        loop.add_reader(connection.fileno(), self._read)

    def write(self, data: bytes) -> None:
        """Send bytes behind what was sent before. What nobody can receive any more is dropped."""
        if not self._open:
            return
        if self._unwritten:
            self._unwritten += data
            return
        sent = self._try_send(data)
        if sent < len(data) and self._open:
            self._unwritten += memoryview(data)[sent:]
            self._loop.add_writer(self.socket.fileno(), self._write_rest)

    def read_rest(self) -> None:
        """Read at once what lies there, such as the last words of a process that has died."""
        while self._open and self._read():
            pass

    def close(self) -> None:
        """Let go of the socket. Safe to call again."""
        if not self._open:
            return
        self._open = False
        if not self._loop.is_closed() and self._is_own():
            self._loop.remove_reader(self.socket.fileno())
            self._loop.remove_writer(self.socket.fileno())
        self._shut()
        self.socket.close()

    def abandon(self) -> None:
        """As `close`, on any thread: the loop closes the socket, unless it is closed itself."""
        self._shut()
        if self._loop.is_closed():
            self.socket.close()

    def _shut(self) -> None:
        """Tell the other side that this one is gone, whoever has a copy of the socket by a fork."""
        if self._is_own():
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def _is_own(self) -> bool:
        """False in the child of a fork: socket and loop are the parent's."""
        return os.getpid() == self._owner

    def _read(self) -> bool:
        try:
            data = self.socket.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        if data:
            self._on_data(data)
            return True
        self._end()
        return False

    def _write_rest(self) -> None:
        sent = self._try_send(self._unwritten)
        del self._unwritten[:sent]
        if not self._unwritten:
            self._loop.remove_writer(self.socket.fileno())

    def _try_send(self, data: bytes | bytearray) -> int:
        try:
            return self.socket.send(data)
        except (BlockingIOError, InterruptedError):
            return 0
        except OSError:  # the reader will see the end
            return len(data)

    def _end(self) -> None:
        self.close()
        self._on_end()
