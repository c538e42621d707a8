"""A carbon that can misbehave. Keeps every connection's bytes, and what a real carbon would store.

A fault is a function (connection) -> None that handles one accepted connection in the place of
`healthy`. It may be set and lifted at any time; a connection keeps the one it began with."""

import socket
import struct
import threading
import time

from lib.wait import PATIENCE_S


class Connection:
    """One connection of the daemon's."""

    def __init__(self, sink, peer, sock):
        self.sink = sink
        self.peer = peer
        self.sock = sock
        self.data = b""
        self.began = time.time()
        self.ended = None
        self.acknowledged = False
        self._parsed = (0, [])

    def read(self, size=65536):
        """Takes up to size bytes; b"" at the daemon's FIN, or where it gave up on us."""
        try:
            data = self.sock.recv(size)
        except OSError:
            return b""
        self.data += data
        return data

    def lines(self):
        """(name, value, timestamp) as texts, of every complete line."""
        data = self.data
        if self._parsed[0] != len(data):
            whole = data[: data.rfind(b"\n") + 1].decode("latin-1")
            self._parsed = (len(data), [tuple(line.split(" ")) for line in whole.split("\n")[:-1]])
        return self._parsed[1]

    @property
    def timestamp(self):
        return int(self.lines()[0][2])

    def values(self):
        """{name: value}; the last of equal names wins."""
        return {name: float(value) for name, value, _ in self.lines()}


def healthy(connection):
    while connection.read():
        pass
    connection.acknowledged = True


def reset_after(n_bytes):
    """Reads so many bytes, then resets the connection."""

    def fault(connection):
        while len(connection.data) < n_bytes and connection.read(n_bytes - len(connection.data)):
            pass
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return fault


def stall(connection):
    """Never reads, never closes, until the fault is lifted or the sink ends."""
    while connection.sink.fault is stall and not connection.sink.closed:
        time.sleep(0.02)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def withhold_fin(connection):
    """Reads everything but does not close: the daemon must not take that for an acknowledgement."""
    while connection.read():
        pass
    while connection.sink.fault is withhold_fin and not connection.sink.closed:
        time.sleep(0.02)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_slowly(connection):
    """Takes a little at a time, but all of it."""
    while connection.read(2048):
        time.sleep(0.002)
    connection.acknowledged = True


def close_first(connection):
    """Sends a FIN before it reads anything, then waits for the daemon to give up."""
    connection.sock.shutdown(socket.SHUT_WR)
    connection.sock.settimeout(PATIENCE_S)
    time.sleep(0.2)  # until then the daemon can have sent no more than the buffers hold
    while connection.read():
        pass


def talk_back(connection):
    """Answers with rubbish, as no carbon would, and is otherwise well."""
    connection.sock.sendall(b"\x00\xffHTTP/1.0 400 Bad Request\r\n\r\n" * 50)
    healthy(connection)


def close_at_once(connection):
    """Takes nothing and says nothing."""


def drip(connection):
    """Takes a byte a second, in small buffers, until the fault is lifted."""
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    while connection.sink.fault is drip and not connection.sink.closed:
        if not connection.read(1):
            return
        time.sleep(1)
    healthy(connection)


def flood(connection):
    """Sends rubbish for as long as anybody takes it, a gigabyte at most, and reads nothing."""
    block = b"\xff\x00HTTP/1.0\n" * 4096
    for _ in range(2**30 // len(block)):
        if connection.sink.fault is not flood or connection.sink.closed:
            return
        connection.sock.sendall(block)


class Sink:
    """Listens on its own port from the start, unless listening=False: then it refuses."""

    def __init__(self, listening=True, host="127.0.0.1", small_buffers=False):
        self.host = host
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.small_buffers = small_buffers
        self.fault = None
        self.closed = False
        self.connections = []
        self.port = 0
        self._changed = threading.Condition()
        self._threads = []
        self._listener = None
        self._bind()
        if listening:
            self.listen()

    def _bind(self):
        self._listener = socket.socket(self.family, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.small_buffers:
            # A small segment keeps the daemon's send buffer small too: a batch does not fit.
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        self._listener.bind((self.host, self.port))
        self.port = self._listener.getsockname()[1]

    def listen(self):
        """Begins to accept connections."""
        self._listener.listen(64)
        self._spawn(self._accept, self._listener)

    def refuse(self):
        """Stops listening; the port stays ours, so that a connection is refused."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._bind()

    def close(self):
        self.closed = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it did not listen
        self._listener.close()
        for connection in self.connections:
            try:
                connection.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def _spawn(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener):
        while True:
            try:
                sock, peer = listener.accept()
            except OSError:
                return
            connection = Connection(self, peer, sock)
            self.connections.append(connection)
            self._spawn(self._serve, connection)

    def _serve(self, connection):
        try:
            (self.fault or healthy)(connection)
        except OSError:
            pass
        finally:
            connection.sock.close()
            connection.ended = time.time()
            with self._changed:
                self._changed.notify_all()

    @property
    def batches(self):
        """The acknowledged connections, in the order in which they began."""
        return [connection for connection in self.connections if connection.acknowledged]

    @property
    def latest(self):
        """{name: value} of the last flush that was acknowledged; {} before the first."""
        batches = self.batches
        return batches[-1].values() if batches else {}

    @property
    def store(self):
        """{(name, timestamp): value}: the last write wins, torn ends are lost, as with carbon."""
        kept = {}
        for connection in list(self.connections):
            for name, value, timestamp in connection.lines():
                kept[name, int(timestamp)] = float(value)
        return kept

    def series(self, name):
        """[(timestamp, value)] of one name, by time."""
        return sorted((ts, value) for (key, ts), value in self.store.items() if key == name)

    def total(self, name):
        return sum(value for _, value in self.series(name))

    def last(self, name):
        series = self.series(name)
        return series[-1][1] if series else None

    def wait(self, predicate, what, timeout=PATIENCE_S):
        """Waits until predicate() holds, looked at whenever a connection ended."""
        deadline = time.monotonic() + timeout
        with self._changed:
            while not predicate():
                left = deadline - time.monotonic()
                if left <= 0:
                    raise AssertionError(f"the sink waited {timeout:.0f} s in vain for {what}")
                self._changed.wait(min(left, 0.25))

    def wait_batches(self, n, timeout=PATIENCE_S):
        """Waits for n acknowledged flushes and returns them all."""
        self.wait(lambda: len(self.batches) >= n, f"{n} flushes", timeout)
        return self.batches

    def wait_total(self, name, value, timeout=PATIENCE_S):
        """Waits until the values of a name add up to at least value, and returns the sum."""
        self.wait(lambda: self.total(name) >= value, f"{name} to add up to {value}", timeout)
        return self.total(name)
