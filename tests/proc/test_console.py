"""The console, to the byte as Etsy's statsd has it, and that a crowd there moves no flush."""

import os
import re
import resource
import select
import shutil
import signal
import socket
import subprocess
import time

import pytest

from lib import proc
from lib.asking import Console
from lib.wait import until

COMMANDS = ("Commands: stats, counters, timers, gauges, delcounters, deltimers, delgauges, health, "
            "config, quit\n\n")


@pytest.fixture
def consoles(daemons):
    """A factory of daemons with a console, each with its port."""

    def make(sink, settings=None):
        port = proc.free_tcp_port()
        return daemons(sink, {"CONSOLE": str(port), **(settings or {})}), port

    return make


@pytest.fixture
def quiet(consoles):
    """(daemon, console) whose interval does not end, and some metrics."""
    daemon, port = consoles(None, {"FLUSH_INTERVAL": "1h"})
    console = Console(port)
    daemon.send("g.x:5|c\ng.y.z:1|c\ng:1|c\nt:3|ms\nt:4.5|ms\nload:0.25|g\nu:a|s\nu:b|s\nbad")
    until(lambda: "u: 2" in console.ask("sets"), "the metrics")
    yield daemon, console
    console.close()


def test_help_errors_and_health(quiet):
    _, console = quiet
    assert console.ask("help", "\n\n") == COMMANDS
    for wrong in ("", "Help", "nonsense", "help\nhelp", "helpme"):
        assert console.ask(wrong, "\n") == "ERROR\n"
    assert console.ask("health", "\n") == "health: up\n"
    assert console.ask("health DOWN", "\n") == "health: down\n"
    assert console.ask("health sideways", "\n") == "health: down\n"
    assert console.ask("  health up \r", "\n") == "health: up\n"


def test_a_command_without_a_newline(quiet):
    _, console = quiet
    console.tell("hea")
    console.tell("lth")
    assert console.read("\n") == "health: up\n"


def test_stats(quiet):
    _, console = quiet
    now = int(time.time())
    found = re.fullmatch(
        r"uptime: (\d+)\nmessages\.last_msg_seen: (\d+)\nmessages\.bad_lines_seen: 1\n"
        r"graphite\.last_flush: (\d+)\ngraphite\.last_exception: (\d+)\n"
        r"graphite\.flush_time: 0\ngraphite\.flush_length: 0\nEND\n\n", console.ask("stats"))
    uptime, seen, flushed, exception = map(int, found.groups())
    assert uptime < 60 and seen < 60 and flushed < 60 and abs(exception - now) < 60


def test_maps(quiet):
    _, console = quiet
    assert console.ask("timers") == "{ t: [ 3, 4.5 ] }\nEND\n\n"
    assert console.ask("gauges") == "{ load: 0.25 }\nEND\n\n"
    assert console.ask("sets") == "{ u: 2 }\nEND\n\n"
    text = console.ask("counters")
    assert text.startswith("{ ") and text.endswith(" }\nEND\n\n")
    assert sorted(text[2:-8].split(", ")) == ["'g.x': 5", "'g.y.z': 1", "g: 1"]


def test_deletions(quiet):
    daemon, console = quiet
    assert console.ask("delcounters") == "END\n\n"
    assert console.ask("deltimers x") == "metric x not found\nEND\n\n"
    assert console.ask("delgauges load load") == (
        "deleted: load\nmetric load not found\nEND\n\n")
    assert console.ask("gauges") == "{}\nEND\n\n"
    text = console.ask("delcounters g.* nope.*")
    assert sorted(text.splitlines()) == sorted(
        ["deleted: g.x", "deleted: g.y.z", "metric nope.* not found", "END", ""])
    assert console.ask("counters") == "{ g: 1 }\nEND\n\n"
    daemon.send("load:7|g")
    until(lambda: console.ask("gauges") == "{ load: 7 }\nEND\n\n", "the gauge anew")
    assert re.findall(r"\[INFO\] worker: (.* deleted .*)", daemon.log) == [
        f"1 gauges deleted by {console.name}: load load", f"2 counters deleted by {console.name}: g.* nope.*"]


def test_what_is_changed_is_logged(quiet):
    """Health where it changes, and the bytes of those who ask are escaped and cut."""
    daemon, console = quiet
    for word in ("down", "down", "up", "sideways"):
        console.ask(f"health {word}", "\n")
    console.ask("delgauges \x1b[2J load " + "x" * 900)
    for _ in range(40):
        console.ask("delcounters g")
        daemon.send("g:1|c")
        until(lambda: "g: 1" in console.ask("counters"), "the counter anew")
    console.ask("help", "\n\n")  # what came before has been logged
    told = re.findall(r"\[INFO\] worker: (.*) by " + re.escape(console.name) + "(.*)", daemon.log)
    assert told[:3] == [("health set to down", ""), ("health set to up", ""),
                        ("1 gauges deleted", r": \x1b[2J load " + "x" * 118 + "...")]
    assert 10 <= len(told) <= 22, "not all of a flood, be it over the end of a minute"


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
def test_large_maps_are_as_node_has_them(quiet):
    daemon, console = quiet
    daemon.send("\n".join(f"t:{i}|ms" for i in range(5, 160)))
    until(lambda: "57 more items" in console.ask("timers"), "the samples")
    values = "[3, 4.5, ...Array.from({length: 155}, (_, i) => i + 5)]"
    script = f"process.stdout.write(require('util').inspect({{t: {values}}}) + '\\nEND\\n\\n')"
    expected = subprocess.run(["node", "-e", script], capture_output=True, check=True, text=True)
    assert console.ask("timers") == expected.stdout


def test_config(quiet):
    _, console = quiet
    console.tell("config\n")
    text = console.read("CONSOLE_WRITE: no\n")
    assert text.startswith("\n") and "\nFLUSH_INTERVAL: 3600000\n" in text
    assert re.fullmatch(r"\n(?:[A-Z_]+(?: > \d+)?: .*\n)+", text)


METHODS = ["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "CONNECT", "PATCH", "TRACE"]


@pytest.mark.parametrize("text", [
    "quit\n", "POST /x\r\n\r\n", "HEAD /\n", "x" * 1024 + "\n", "x" * 1100 + "\n",
    *(f"{method} / HTTP/1.1\r\nHost: x\r\n\r\n" for method in METHODS)])
def test_what_closes(quiet, text):
    _, console = quiet
    console.tell(text)
    assert console.is_closed()


def test_the_longest_piece_is_answered(quiet):
    _, console = quiet
    assert console.ask("x" * 1023, "\n") == "ERROR\n"


def test_writing_takes_loopback_or_leave(consoles):
    daemon, port = consoles(None, {"FLUSH_INTERVAL": "1h", "CONSOLE": f"0.0.0.0:{proc.free_tcp_port()}"})
    port = int(daemon.settings["CONSOLE"].rpartition(":")[2])
    console = Console(port)
    daemon.send("g:1|g")
    until(lambda: console.ask("gauges") == "{ g: 1 }\nEND\n\n", "the gauge")
    assert console.ask("delgauges g", "\n") == "ERROR\n"
    assert console.ask("health down", "\n") == "health: up\n"
    assert console.ask("gauges") == "{ g: 1 }\nEND\n\n"
    console.close()
    port = proc.free_tcp_port()
    daemon, _ = consoles(None, {"CONSOLE": f"0.0.0.0:{port}", "CONSOLE_WRITE": "yes"})
    console = Console(port)
    assert console.ask("delgauges g") == "metric g not found\nEND\n\n"
    console.close()


@pytest.mark.skipif(not proc.have_ipv6(), reason="takes IPv6")
def test_ipv6(consoles):
    port = proc.free_tcp_port()
    consoles(None, {"CONSOLE": f"[::1]:{port}"})
    console = Console(port, "::1")
    assert console.ask("health down", "\n") == "health: down\n"
    console.close()


def test_health_outlives_the_worker(consoles):
    daemon, port = consoles(None, {"FLUSH_INTERVAL": "1h"})
    console = Console(port)
    assert console.ask("health down", "\n") == "health: down\n"
    console.close()
    old = daemon.child("worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: daemon.child("worker") not in (None, old), "another worker")
    console = Console(port)
    assert console.ask("health", "\n") == "health: down\n"
    assert console.ask("health up", "\n") == "health: up\n"
    console.close()


def cut(clients):
    """How many of them the daemon has closed."""
    poller = select.poll()
    for client in clients:
        poller.register(client, select.POLLIN | select.POLLRDHUP)
    return len(poller.poll(0))


def test_a_crowd_moves_no_flush(consoles, sink):
    """16 are served, the others closed, and every flush goes out at its time."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    daemon, port = consoles(sink)
    crowd = []
    try:
        for i in range(1000):
            crowd.append(socket.create_connection(("127.0.0.1", port), 5))
            if i % 100 == 0:
                daemon.send("c:1|c")
        until(lambda: cut(crowd) >= 984, "all but 16 to be closed")
        first = len(sink.batches)
        sink.wait(lambda: len(sink.batches) >= first + 4, "flushes")
        stamps = [batch.timestamp for batch in sink.batches]
        assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))
        assert all(batch.ended - batch.timestamp < 0.9 for batch in sink.batches)
        until(lambda: cut(crowd) == 1000, "those who ask nothing to be closed")
    finally:
        for client in crowd:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    console = Console(port)
    assert console.ask("health", "\n") == "health: up\n"
    console.close()


def fill(daemon, console, names=30000):
    for at in range(0, names, 60):
        daemon.send("\n".join(f"{'y' * 30}.{i}:1|g" for i in range(at, at + 60)))
    until(lambda: console.ask("gauges").count("\n") > names, "the gauges")


def deaf_client(port, text, receive_buffer=None):
    """One who asks and never reads."""
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", port))
    client.sendall(text)
    return client


def test_who_reads_nothing_holds_up_nobody(consoles, sink):
    daemon, port = consoles(sink)
    console = Console(port)
    fill(daemon, console)
    deaf = [deaf_client(port, b"gauges\n" * 3, 4096) for _ in range(10)]
    first = len(sink.batches)
    assert console.ask("health", "\n") == "health: up\n"
    sink.wait(lambda: len(sink.batches) >= first + 3, "flushes")
    stamps = [batch.timestamp for batch in sink.batches]
    assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))
    for client in deaf:
        client.close()
    console.close()


def is_served(port):
    console = Console(port)
    try:
        return console.ask("health", "\n") == "health: up\n"
    except (AssertionError, OSError):
        return False
    finally:
        console.close()


def test_sixteen_who_read_nothing_make_room(consoles):
    daemon, port = consoles(None, {"FLUSH_INTERVAL": "1h"})
    console = Console(port)
    fill(daemon, console, 120000)
    console.close()
    deaf = [deaf_client(port, b"gauges\n") for _ in range(17)]
    assert not is_served(port)
    began = time.monotonic()
    until(lambda: is_served(port), "them to be dropped", step=0.5)
    assert 3 < time.monotonic() - began < 8
    for client in deaf:
        client.close()
