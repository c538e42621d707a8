"""top, watch and explain, asked of a running daemon."""

import os
import re
import select
import socket
import subprocess
import time

import pytest

from lib import cases
from lib.daemon import Daemon, command
from lib.wait import until


class Admin:
    """One command, from its request to the end of its answer."""

    def __init__(self, path, request):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.socket.sendall(request.encode("latin-1") + b"\n")
        self.text = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def read_more(self, timeout=0.05):
        """What has come by now. False at the end."""
        if not select.select([self.socket], [], [], timeout)[0]:
            return True
        try:
            piece = self.socket.recv(65536)
        except ConnectionResetError:  # turned away before the request was read
            return False
        self.text += piece
        return piece != b""

    def lines(self):
        return self.text.decode("ascii").splitlines()

    def wait_for(self, text):
        until(lambda: self.read_more() and text in self.text.decode("ascii"), f"{text} to be seen")

    def wait_end(self):
        until(lambda: not self.read_more(), "the end of the answer")
        return self.lines()


def ask(path, request):
    with Admin(path, request) as admin:
        return admin.wait_end()


@pytest.fixture
def serve(place):
    """Starts a daemon; returns it and the path of its socket."""
    started = []

    def start(**settings):
        path = os.path.join(place, "admin.sock")
        defaults = {"TRANSPORT": "none", "FLUSH_INTERVAL": 60000, "ADMIN_SOCKET": path}
        daemon = Daemon(place, {**defaults, **settings})
        started.append(daemon)
        return daemon.start(), path

    yield start
    for daemon in started:
        daemon.close()


def found(lines, key):
    """{what: the rest} of the lines of one key."""
    split = [line.split(" ") for line in lines if line.startswith(f"{key} ")]
    return {words[-1]: words[1:-1] for words in split}


def wait_top(path, text, request="top"):
    def see():
        lines = ask(path, request)
        return lines if any(text in line for line in lines) else None

    return until(see, text)


@pytest.mark.parametrize("threads", [1, 4])
def test_top(serve, threads):
    daemon, path = serve(THREADS=threads)
    assert ask(path, "top") == ["ok"]
    for number in range(60):
        daemon.send("web.requests.home:1|c\nweb.requests.login:2|ms\nbad", "db.q ueries:1|c")
    daemon.send("last:1|s")
    lines = wait_top(path, " set last")
    assert lines[0] == "ok"
    names = found(lines, "name")
    assert set(names) == {"web.requests.home", "web.requests.login", "db.q_ueries", "last"}
    assert all(float(rate) > 0 for (rate,) in names.values())
    assert float(names["last"][0]) < float(names["db.q_ueries"][0])
    rates = {name: float(rate) for name, (rate,) in found(lines, "prefix").items()}
    assert set(rates) == {"web.requests", "db.q_ueries", "last"}
    assert rates["web.requests"] == pytest.approx(2 * rates["db.q_ueries"], rel=0.05)
    senders = found(lines, "sender")
    assert list(senders) == ["127.0.0.1"]
    assert float(senders["127.0.0.1"][0]) == pytest.approx(4 * rates["db.q_ueries"], rel=0.1)
    new = found(lines, "new")
    assert {name: rest[1] for name, rest in new.items()} == {
        "web.requests.home": "counter", "web.requests.login": "timer",
        "db.q_ueries": "counter", "last": "set"}
    assert all(0 <= int(rest[0]) < 60 for rest in new.values())


def test_top_of_so_many(serve):
    daemon, path = serve()
    daemon.send("\n".join(f"n{number:03}:1|c" for number in range(150)))
    lines = wait_top(path, "n149", "top 100")
    assert len(found(lines, "name")) == 100
    assert set(found(lines, "new")) == {f"n{number:03}" for number in range(86, 150)}
    assert len(found(ask(path, "top"), "name")) == 20
    assert len(found(ask(path, "top 3"), "name")) == 3
    for wrong in ("0", "101", "x", "-1", "1 2"):
        assert ask(path, f"top {wrong}") == ["error it takes a number from 1 to 100"]


def test_top_after_a_crash(serve):
    """What was counted is forgotten, and counting goes on."""
    daemon, path = serve()
    daemon.send("before:1|c")
    wait_top(path, "before")
    worker = daemon.child("worker")
    os.kill(worker, 9)
    until(lambda: daemon.child("worker") != worker, "another worker")
    daemon.send("after:1|c")
    assert list(found(wait_top(path, "after"), "name")) == ["after"]


@pytest.mark.parametrize("threads", [1, 4])
def test_watch(serve, threads):
    daemon, path = serve(THREADS=threads)
    with Admin(path, "watch") as everything, Admin(path, "watch a.*") as some:
        for admin in (everything, some):
            admin.wait_for("ok\n")
        daemon.send(b"a.b:1|c\na/b:2|c\nbad\xff\na.x:y|c", b"b:1|c")
        everything.wait_for(" b:1|c\n")
        some.wait_for("a.x:y|c\n")
        source = some.lines()[1].split(" ")[0]
        assert re.fullmatch(r"127\.0\.0\.1:\d+", source)
        assert everything.lines() == ["ok"] + [
            f"{source} {line}" for line in ("a.b:1|c", "a/b:2|c", "bad\\xff", "a.x:y|c", "b:1|c")]
        assert some.lines() == ["ok", f"{source} a.b:1|c", f"{source} a.x:y|c"]
        everything.socket.close()
        daemon.send("a.later:1|c")
        some.wait_for("a.later:1|c\n")
    assert daemon.stop() == 0


def test_eight_watch_and_others_can_ask(serve):
    daemon, path = serve()
    watchers = [Admin(path, "watch") for _ in range(8)]
    for admin in watchers:
        admin.wait_for("ok\n")
    for _ in range(10):
        with Admin(path, "watch") as turned_away:
            assert turned_away.wait_end() == ["error as many watch already as can"]
    with Admin(path, "status") as other:
        assert other.wait_end()[0] == "ok"
    daemon.send("a:1|c")
    for admin in watchers:
        admin.wait_for(" a:1|c\n")
        admin.socket.close()

    def can_watch():
        with Admin(path, "watch") as again:
            return again.read_more(1) and again.text == b"ok\n"

    until(can_watch, "a place for another")


def test_a_slow_watcher_is_dropped(serve):
    """One who does not read holds up nobody: all lines are applied, and he is told, or cut off."""
    daemon, path = serve(FLUSH_INTERVAL=1000, RECEIVE_BUFFER="8M")
    with Admin(path, "watch") as slow, Admin(path, "watch last") as other:
        for admin in (slow, other):
            admin.wait_for("ok\n")
        datagram = "\n".join(f"some.long.name.of.a.metric.{n}:1|c" for n in range(30))
        started = time.monotonic()
        while time.monotonic() - started < 2.5:
            daemon.send(*[datagram] * 20)
            time.sleep(0.005)

        def is_seen():  # the socket may be full
            daemon.send("last:1|c")
            return other.read_more() and b" last:1|c\n" in other.text

        until(is_seen, "the last line")
        assert slow.wait_end()[-1] == "dropped: too slow"
    assert daemon.stop() == 0


def test_a_watcher_at_the_end(serve):
    daemon, path = serve()
    with Admin(path, "watch") as admin:
        admin.wait_for("ok\n")
        assert daemon.stop() == 0
        assert admin.wait_end() == ["ok"]


def test_explain_agrees_with_the_program(serve):
    """On every line of the conformance file that an argument can hold."""
    _, path = serve(GLOBAL_PREFIX="p", DROP="*.debug")
    settings = {"FLUSH_INTERVAL": 60000, "GLOBAL_PREFIX": "p", "DROP": "*.debug"}
    lines = {line for case in cases.read() for step in case.rounds for datagram in step.send
             for line in datagram.split(b"\n") if b"\0" not in line}
    lines = sorted(lines | {b"", b" ", b"\r", b"  lead:1|c", b"a:1|c \t\r", b"a.debug:1|c"})
    assert len(lines) > 400
    told = subprocess.run(command(settings, ["--explain", b"\n".join(lines)]), capture_output=True,
                          check=False).stdout.decode("ascii").splitlines()
    asked = []
    for line in lines:
        first, *rest = ask(path, f"explain {line.decode('latin-1')}")
        assert first == "ok", line
        asked += rest
    assert asked == told
    assert ask(path, "explain") == ["error it takes a line"]


def test_explain_of_the_longest_line(serve):
    _, path = serve()
    longest = "a" * 16380 + ":1|c"
    assert ask(path, f"explain {longest}")[:2] == ["ok", f"line {longest}"]
    assert ask(path, f"explain {longest}d") == ["error the line is too long"]


def test_help(serve):
    _, path = serve()
    lines = ask(path, "help")
    for name in ("explain LINE", "watch [GLOB]", "top [N]"):
        assert any(line.startswith(f"{name}\t") for line in lines)
