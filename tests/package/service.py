"""The installed service, as its operator sees it, and applications that send to it."""

import os
import re
import socket
import threading
import time

from lib import proc
from lib.wait import until

PORT = 8125
SETTINGS = "/etc/default/pystatsd"
NAMES = ("pystatsd-master", "pystatsd-worker", "pystatsd-sender")
RATE = 2000  # datagrams a second
SLICE_S = 0.005
FOUND_S = 60


class Service:
    def __init__(self, machine):
        self.machine = machine

    def do(self, action, check=True):
        """The exit status of what every operator types."""
        return self.machine.run("service", "pystatsd", action, check=check).returncode

    def running(self):
        """{name: pid here} of the daemon's processes; fails where one is there twice."""
        found = {name: without_forks(self.machine.named(name)) for name in NAMES}
        assert all(len(pids) <= 1 for pids in found.values()), found
        return {name: pids[0] for name, pids in found.items() if pids}

    def wait_up(self, but=()):
        """Waits until all three run and none is of those pids, and returns them."""
        def is_up():
            now = self.running()
            return now if len(now) == len(NAMES) and not set(now.values()) & set(but) else None

        return until(is_up, "three processes", timeout=FOUND_S)

    def wait_down(self):
        until(lambda: not self.running(), "no process", timeout=FOUND_S)

    def settings(self):
        """The text of the file."""
        with open(self.machine.path(SETTINGS), encoding="utf-8") as file:
            return file.read()

    def write_settings(self, text):
        with open(self.machine.path(SETTINGS), "w", encoding="utf-8") as file:
            file.write(text)

    def configure(self, **settings):
        """As an editor would: a line of each key, in its place or at the end."""
        text = self.settings()
        for key, value in settings.items():
            line = f"{key}={value}"
            text, n = re.subn(rf"^#?{key}=.*$", line, text, flags=re.M)
            text += "" if n else f"{line}\n"
        self.write_settings(text)


def without_forks(pids):
    """A child bears its parent's name until it has taken its own."""
    return [pid for pid in pids if (proc.stat(pid) or (None, None, 0))[2] not in pids]


class Load:
    """Counts one at a time to the service, as much as a second says, until it is stopped.

    A datagram that nobody holds a socket for is refused at once, which on one machine the sender
    gets to know; it tries again, and counts what was taken."""

    def __init__(self, machine, name="load"):
        self.name = name
        self.taken = self.refused = 0
        self._over = threading.Event()
        with machine.network():
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", PORT))
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()
        self._socket.close()

    def _run(self):
        data = f"{self.name}:1|c".encode("ascii")
        began, due = time.monotonic(), 0
        while not self._over.wait(SLICE_S):
            n = int((time.monotonic() - began) * RATE)
            due, batch = n, min(n - due, RATE // 10)
            for _ in range(batch):
                self._send(data)

    def _send(self, data):
        try:
            self._socket.send(data)
        except ConnectionRefusedError:
            self.refused += 1
            return
        if self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.refused += 1
        else:
            self.taken += 1


def send(machine, *datagrams):
    with machine.network():
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with client:
        for datagram in datagrams:
            client.sendto(datagram.encode("ascii"), ("127.0.0.1", PORT))


def total(carbon, name):
    """What carbon has of a counter that is sent as sums."""
    return sum(carbon.series(name).values())


def wait_total(carbon, name, value):
    """Waits until carbon has that much of a counter, and returns what it has."""
    until(lambda: total(carbon, name) >= value, f"{value} of {name}", timeout=FOUND_S)
    return total(carbon, name)


def quiet_total(carbon, name):
    """What carbon has of a counter once nothing more comes: two intervals later."""
    last = last_flush(carbon)
    until(lambda: last_flush(carbon) > last + 2, "two flushes", timeout=FOUND_S)
    return total(carbon, name)


def last_flush(carbon):
    return max(carbon.series("statsd.numStats"), default=0)


def alive(pids):
    return any(proc.alive(pid) for pid in pids)


def has(machine, path):
    return os.path.lexists(machine.live_path(path))
