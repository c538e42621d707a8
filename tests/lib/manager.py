"""A service manager that keeps descriptors from one run of the daemon to the next, as systemd does."""

import os
import socket
import sys

from lib.daemon import Notify

KEPT_MAX = 253  # what one message can carry
# Gives the process that it becomes the descriptors argv[1] (comma separated), named argv[2], from
# 3 on.
HAND_OVER = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD_CLOEXEC, 100) for fd in sys.argv[1].split(",") if fd]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
if high:
    os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(high)), LISTEN_FDNAMES=sys.argv[2])
os.execvp(sys.argv[3], sys.argv[3:])
"""


class Store(Notify):
    """What the daemon gives to be kept, and takes out again."""

    def __init__(self, kept):
        super().__init__()
        self.kept = kept

    def poll(self):
        while True:
            try:
                text, fds, _, _ = socket.recv_fds(self._socket, 4096, KEPT_MAX)
            except BlockingIOError:
                return self.messages
            lines = text.decode("utf-8", "replace").splitlines()
            self.messages += lines
            self._act(dict(line.partition("=")[::2] for line in lines), fds)

    def _act(self, told, fds):
        if "FDSTOREREMOVE" in told:
            os.close(self.kept.pop(told["FDNAME"]))
        for fd in fds:
            assert told["FDNAME"] not in self.kept, told
            self.kept[told["FDNAME"]] = fd


class Manager:
    """For one daemon at a time. own are sockets that it has opened itself, {name: socket}."""

    def __init__(self, own=None):
        self.own = own or {}
        self.kept = {}
        self.renew()

    def renew(self):
        """For the next run."""
        self.notify = Store(self.kept)
        return self

    def _all(self):
        """As systemd's, what was kept last comes first, behind its own."""
        own = [(name, it.fileno()) for name, it in self.own.items()]
        return own + list(reversed(self.kept.items()))

    def descriptors(self):
        return tuple(fd for _, fd in self._all())

    def wrapper(self):
        names, fds = zip(*self._all()) if self._all() else ((), ())
        return [sys.executable, "-c", HAND_OVER, ",".join(map(str, fds)), ":".join(names)]

    def close(self):
        for fd in self.kept.values():
            os.close(fd)
        for it in self.own.values():
            it.close()
