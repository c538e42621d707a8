"""Those who ask: ADMIN_SOCKET's protocol and the console's."""

import socket

from lib.wait import PATIENCE_S


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(PATIENCE_S)
    client.connect(path)
    return client


def read_all(client):
    data = b""
    while True:
        piece = client.recv(65536)
        if not piece:
            return data
        data += piece


def ask(path, request):
    """(the first line, the lines behind it) of the answer."""
    with connect(path) as client:
        client.sendall(request.encode("ascii") + b"\n")
        lines = read_all(client).decode("ascii").splitlines()
    return lines[0], lines[1:]


def good(path, request):
    """The lines of an answer that must be a good one."""
    first, lines = ask(path, request)
    assert first == "ok", first
    return lines


def status(path):
    """{key: value}, and the problems as a list under "problem"."""
    found = {"problem": []}
    for line in good(path, "status"):
        key, _, value = line.partition(" ")
        if key == "problem":
            found[key].append(value)
        else:
            found[key] = value
    return found


class Console:
    """A connection to the console."""

    def __init__(self, port, host="127.0.0.1"):
        self._socket = socket.create_connection((host, port), PATIENCE_S)
        self.name = "{}:{}".format(*self._socket.getsockname()[:2])  # as the daemon calls it

    def tell(self, text):
        self._socket.sendall(text.encode("ascii"))

    def read(self, end):
        """What comes up to and with end, which must be the end of all that comes."""
        data = b""
        while not data.endswith(end.encode("ascii")):
            piece = self._socket.recv(65536)
            assert piece, f"closed behind {data!r}"
            data += piece
        return data.decode("ascii")

    def ask(self, command, end="END\n\n"):
        self.tell(f"{command}\n")
        return self.read(end)

    def is_closed(self):
        """Waits for the daemon to close it; nothing may come."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self):
        self._socket.close()
