"""The Python module as py-statsd's users use it: each test is a program of its own, run by Debian's
Python, with the module and the library that were built."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from lib import proc
from lib.daemon import BUILD, IS_ROOT, SANITIZER, SERVER
from lib.wait import PATIENCE_S, until

PYTHON = "/usr/bin/python3"
MODULE = os.path.join(BUILD, "python", "pystatsd.abi3.so")

pytestmark = pytest.mark.skipif(
    not os.path.exists(MODULE), reason="no Python headers: the module was not built"
)


def environment():
    env = {
        **os.environ,
        "LD_LIBRARY_PATH": BUILD,
        "PYTHONPATH": os.path.join(BUILD, "python"),
        "PYTHONUNBUFFERED": "1",
        "PYSTATSD_SERVER": SERVER,
    }
    if "sanitize" in BUILD:
        # Python itself was built without it, and frees little at its end.
        found = subprocess.run(["cc", "-print-file-name=libasan.so"], stdout=subprocess.PIPE, check=True)
        env.update(LD_PRELOAD=found.stdout.decode().strip(), ASAN_OPTIONS="detect_leaks=0")
    return env


def run(program, *args, given="", ok=True):
    """Runs a program to its end; its standard output and standard error."""
    done = subprocess.run(
        [PYTHON, "-c", program, *map(str, args)],
        input=given,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=6 * PATIENCE_S,
        check=False,
    )
    assert not SANITIZER.search(done.stderr), done.stderr
    assert (done.returncode == 0) == ok, done.stderr
    return done.stdout, done.stderr


# --- Client: what is sent ---

# Reads [arguments of Client, [[method, arguments, named arguments], …]], prints the datagrams of each.
SENDER = """
import json, socket, sys
from pystatsd import Client
given, calls = json.load(sys.stdin)
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.setblocking(False)
client = Client("127.0.0.1", sink.getsockname()[1], **given)
def received():
    try:
        return sink.recv(2048).decode("latin-1")
    except BlockingIOError:
        return None
print(json.dumps([(getattr(client, name)(*args, **named), list(iter(received, None)))[1]
                  for name, args, named in calls]))
"""

# One that is sent always, if marked as sampled.
ALMOST = 0.9999999999999999

# What py-statsd's own client makes of each call: method, arguments, datagrams.
BYTES = [
    ("timing", ["t", 500], ["t:500.000000|ms"]),
    ("timing", ["t", 0.0000004], ["t:0.000000|ms"]),
    ("timing", ["t", 12.3456789], ["t:12.345679|ms"]),
    ("timing", ["t", -3], ["t:-3.000000|ms"]),
    ("timing", ["t", 2**70], ["t:1180591620717411303424.000000|ms"]),
    ("timing", ["t", 7, 1], ["t:7.000000|ms"]),
    ("timing", ["t", 7, 2], ["t:7.000000|ms"]),
    ("timing", ["t", 7, ALMOST], ["t:7.000000|ms|@0.9999999999999999"]),
    ("timing", ["t", 7, 0], []),
    ("timing", ["t", 7, -1], []),
    ("gauge", ["g", 42], ["g:42.000000|g"]),
    ("gauge", ["g", -0.5], ["g:-0.500000|g"]),
    ("gauge", ["g", True], ["g:1.000000|g"]),
    ("gauge", ["g", 1e15], ["g:1000000000000000.000000|g"]),
    ("increment", ["c"], ["c:1|c"]),
    ("increment", [["c", "d"]], ["c:1|c", "d:1|c"]),
    ("increment", [["c", "c"]], ["c:1|c"]),
    ("increment", [[]], []),
    ("increment", ["c", ALMOST], ["c:1|c|@0.9999999999999999"]),
    ("incr", ["c"], ["c:1|c"]),
    ("decrement", ["c"], ["c:-1|c"]),
    ("decrement", [["c", "d"]], ["c:-1|c", "d:-1|c"]),
    ("decr", ["c"], ["c:-1|c"]),
    ("update_stats", ["c", 5], ["c:5|c"]),
    ("update_stats", [["c", "d"], -7], ["c:-7|c", "d:-7|c"]),
    ("update_stats", ["c", 2.5], ["c:2.5|c"]),
    ("update_stats", ["c", 0.1], ["c:0.1|c"]),
    ("update_stats", ["c", 1e16], ["c:1e+16|c"]),
    ("update_stats", ["c", 10**30], ["c:1000000000000000000000000000000|c"]),
    ("update_stats", ["c", "5"], ["c:5|c"]),
    ("update_stats", ["c", None], ["c:None|c"]),
    ("send", [{"a": "5|c", "b": "6|g"}], ["a:5|c", "b:6|g"]),
    ("send", [{"a": "5|c"}, ALMOST], ["a:5|c|@0.9999999999999999"]),
    ("send", [{}], []),
    ("send", [{"a": "5|c|@0.1"}], ["a:5|c|@0.1"]),
    ("send", [{"a": "5|c|#t:1"}], ["a:5|c|#t:1"]),
    ("send", [{"a": "5|c|@0.1|#t:1,u v|T1"}], ["a:5|c|@0.1|#t:1,u v|T1"]),
    ("send", [{"a": "5|c|@0.1"}, ALMOST], ["a:5|c|@0.1|@0.9999999999999999"]),
    ("send", [{"a": "5|c\n", "b": "6|g\r\n", "c": "7|c|@0.1\n"}], ["a:5|c", "b:6|g", "c:7|c|@0.1"]),
    ("increment", ["c", float("nan")], ["c:1|c"]),
]


def sent(calls, **given):
    return json.loads(run(SENDER, given=json.dumps([given, calls]))[0])


@pytest.mark.parametrize("prefix", [None, "", "app", "a.b"])
def test_bytes(prefix):
    calls = [(name, args, {}) for name, args, _ in BYTES]
    dotted = f"{prefix}." if prefix else ""
    for (name, args, expected), got in zip(BYTES, sent(calls, prefix=prefix), strict=True):
        assert got == [dotted + datagram for datagram in expected], (name, args)


def test_names_and_values_of_other_types():
    """As str() has them, but that py-statsd can put no prefix before a name that is none."""
    run("""
import collections, decimal, socket
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.settimeout(20)
port = sink.getsockname()[1]
class Odd(str):
    def __str__(self):
        return "even"
for prefix in None, "", 0, False, []:
    client = Client("127.0.0.1", port, prefix)
    for call, args, expected in [
        (client.increment, (5,), b"5:1|c"),
        (client.increment, (None,), b"None:1|c"),
        (client.increment, (["a", 1],), b"a:1|c 1:1|c"),
        (client.increment, (b"x",), b"bx:1|c"),
        (client.increment, ({Odd("x"): 1}.popitem()[0],), b"even:1|c"),
        (client.timing, (5, 1), b"5:1.000000|ms"),
        (client.update_stats, ("a", decimal.Decimal("1.50")), b"a:1.50|c"),
        (client.update_stats, ("a", (5,)), b"a:5|c"),
        (client.send, (collections.UserDict(a="1|c"),), b"a:1|c"),
        (client.send, ({1: decimal.Decimal(5), "a": "1|c"},), b"a:1|c"),
        (client.send, ({"a": Odd("1|c")}, 1), b""),
    ]:
        call(*args)
        assert b" ".join(sink.recv(99) for _ in expected.split()) == expected, (prefix, args)
class Mute:
    def __str__(self):
        raise ValueError
class Stopped:
    def __str__(self):
        raise KeyboardInterrupt
for name, value in (Mute(), "1|c"), ("a", Mute()):
    client.send({name: value, "b": "1|c"})
    assert sink.recv(99) == b"b:1|c"
try:
    client.send({Stopped(): "1|c"})
except KeyboardInterrupt:
    pass
else:
    assert False
client = Client("127.0.0.1", port, "p")
for names in 5, ["a", 5]:
    try:
        client.increment(names)
    except TypeError:
        pass
    else:
        assert False, names
client.send(collections.UserDict(a="1|c"))
assert sink.recv(99) == b"p.a:1|c"
""")


def test_hosts():
    """Whatever py-statsd finds an address of."""
    run("""
import socket
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.settimeout(20)
port = sink.getsockname()[1]
for host, address in ("", "0.0.0.0"), (b"localhost", "127.0.0.1"), (bytearray(b"localhost"), "127.0.0.1"):
    client = Client(host, port)
    client.increment("a")
    assert sink.recv(99) == b"a:1|c"
    assert (client.host, client.addr) == (host, (address, port))
""")


def test_named_arguments():
    calls = [
        ("timing", [], {"stat": "t", "time": 5, "sample_rate": 1}),
        ("gauge", [], {"stat": "g", "value": 5, "sample_rate": 1}),
        ("increment", [], {"stats": "c", "sample_rate": 1}),
        ("decr", [], {"stats": "c", "sample_rate": 1}),
        ("update_stats", ["c"], {"sample_rate": 1, "delta": 3}),
        ("send", [], {"data": {"c": "1|c"}, "sample_rate": 1}),
    ]
    expected = [["t:5.000000|ms"], ["g:5.000000|g"], ["c:1|c"], ["c:-1|c"], ["c:3|c"], ["c:1|c"]]
    assert sent(calls) == expected


def test_sampling():
    """About the share that was asked for, and each of them says so."""
    got = [datagrams for datagrams in sent([("increment", ["c", 0.25], {})] * 4000) if datagrams]
    assert {tuple(datagrams) for datagrams in got} == {("c:1|c|@0.25",)}
    assert 850 < len(got) < 1150


def test_names_of_a_list_are_drawn_together():
    """All of them or none, as their sums are compared with each other."""
    calls = [("increment", [["a", "b", "c"], 0.5], {})] * 200
    calls += [("send", [{"a": "1|c", "b": "1|c", "c": "1|c"}, 0.5], {})] * 200
    got = {tuple(datagrams) for datagrams in sent(calls)}
    assert got == {(), ("a:1|c|@0.5", "b:1|c|@0.5", "c:1|c|@0.5")}


def test_a_seed_counts():
    run("""
import random, socket
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.setblocking(False)
client = Client("127.0.0.1", sink.getsockname()[1])
def drawn():
    random.seed(5)
    for number in range(200):
        client.update_stats("c", number, 0.5)
    def received():
        try:
            return sink.recv(99)
        except BlockingIOError:
            return None
    return list(iter(received, None))
first = drawn()
assert first == drawn() and 60 < len(first) < 140
random.random = lambda: 1 / 0
try:
    client.increment("c", 0.5)
except ZeroDivisionError:
    pass
else:
    assert False
client.increment("c")
assert sink.recv(99) == b"c:1|c"
""")


def test_a_name_is_one_line():
    assert sent([("increment", ["a b/c\nd:1|c"], {})]) == [["a_b-c_d1c:1|c"]]


def test_timing_since_is_in_microseconds():
    out, _ = run("""
import socket, time
from unittest import mock
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
client = Client("127.0.0.1", sink.getsockname()[1])
client.timing_since("since", time.time() - 2)
print(sink.recv(99).decode())
with mock.patch("time.time", return_value=100.0):
    for start in 95, 100.25, 99.9999999:
        client.timing_since("since", start)
        print(sink.recv(99).decode())
assert "MICROSECONDS" in Client.timing_since.__doc__
""")
    first, *others = out.split()
    assert 2000000 <= float(re.fullmatch(r"since:(\d+)\.000000\|ms", first)[1]) < 12000000
    assert others == ["since:5000000.000000|ms", "since:-250000.000000|ms", "since:0.000000|ms"]


# --- Client: the rest ---


def test_client_s_face():
    run("""
import inspect, pystatsd
from pystatsd import Client, Server
import pystatsd.statsd, pystatsd.server
assert pystatsd.statsd.Client is Client and pystatsd.server.Server is Server
one = Client()
assert (one.host, one.port, one.prefix) == ("localhost", 8125, None)
assert one.addr == ("127.0.0.1", 8125), one.addr
assert repr(one) == "<pystatsd.statsd.Client addr=('127.0.0.1', 8125) prefix=None>", repr(one)
two = Client(host="127.0.0.1", port="8126", prefix="p")
assert repr(two) == "<pystatsd.statsd.Client addr=('127.0.0.1', 8126) prefix=p>", repr(two)
assert two.port == 8126
for name, parameters in {"timing": "stat time", "timing_since": "stat start", "gauge": "stat value",
                         "increment": "stats", "incr": "stats", "decrement": "stats",
                         "decr": "stats", "update_stats": "stats delta", "send": "data"}.items():
    signature = inspect.signature(getattr(two, name))
    assert list(signature.parameters) == [*parameters.split(), "sample_rate"], name
    assert signature.parameters["sample_rate"].default == 1
assert str(inspect.signature(Client)) == "(host='localhost', port=8125, prefix=None)"
""")


def test_the_modules():
    run("""
import importlib.util, re, pystatsd, pystatsd.server
assert pystatsd.VERSION == tuple(map(int, re.findall(r"\\d+", pystatsd.__version__)[:3]))
assert len(pystatsd.VERSION) == 3
for part in "statsd", "server":
    spec = importlib.util.find_spec("pystatsd." + part)
    assert spec.name == "pystatsd." + part and part in repr(getattr(pystatsd, part))
assert pystatsd.server.run_server.__doc__
""")


def test_run_server():
    """py-statsd's own program is a call of it."""
    program = "import sys\nfrom pystatsd.server import run_server\nrun_server()\nprint('came back')"
    told = subprocess.run([SERVER, "--version"], capture_output=True, text=True, check=True).stdout
    for args in ["--version"], ["--no-such-flag"]:
        done = subprocess.run([PYTHON, "-c", program, *args], capture_output=True, text=True,
                              env=environment(), timeout=6 * PATIENCE_S, check=False)
        if args == ["--version"]:
            assert (done.stdout, done.returncode) == (told, 0), done.stderr
        else:
            assert "no-such-flag" in done.stderr and done.returncode != 0


def test_client_is_an_object_like_any_other():
    """Programs set attributes of theirs, tests put mocks in the place of its methods."""
    run("""
import copy, gc, logging, socket, weakref
from unittest import mock
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
sink.settimeout(20)
port = sink.getsockname()[1]
client = Client("127.0.0.1", port, "p")
assert vars(client) == {"host": "127.0.0.1", "port": port, "addr": ("127.0.0.1", port),
                        "prefix": "p", "log": logging.getLogger("pystatsd.client")}
client.anything = client.host = client.addr = client.port = 1
with mock.patch.object(client, "increment") as increment:
    client.increment("a")
increment.assert_called_once_with("a")
client.send = mock.Mock()
client.increment("a")
client.send.assert_called_once_with({"a": "1|c"}, 1)
del client.send
client.increment("a")
assert sink.recv(99) == b"p.a:1|c"
with mock.patch.object(client, "log") as log:
    client.send({"a": "nothing"})
    client.send({"a": "nothing"})
assert log.error.call_count == 1
client.increment("a")
assert sink.recv(99) == b"p.a:1|c"

other = copy.copy(client)
assert type(other) is Client and vars(other) == vars(client) and vars(other) is not vars(client)
other.prefix = "q"
other.increment("a")
assert sink.recv(99) == b"q.a:1|c"
gone = weakref.ref(client)
del client
gc.collect()
assert gone() is None
other.increment("a")
assert sink.recv(99) == b"q.a:1|c"
other.itself = other
gone = weakref.ref(other)
del other
gc.collect()
assert gone() is None
mock.create_autospec(Client)("host").increment("x")

class Mine(Client):
    pass
mine = Mine("127.0.0.1", port)
mine.__init__("127.0.0.1", port, "again")
copy.copy(mine).increment("a")
assert sink.recv(99) == b"again.a:1|c"
assert type(copy.copy(Mine.__new__(Mine))) is Mine
""")


def test_ipv6():
    if not proc.have_ipv6():
        pytest.skip("no IPv6 here")
    run("""
import socket
from pystatsd import Client
sink = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sink.bind(("::1", 0))
client = Client("::1", sink.getsockname()[1])
assert client.addr[0] == "::1"
client.increment("six")
assert sink.recv(99) == b"six:1|c"
""")


def test_wrong_arguments():
    run("""
from pystatsd import Client
client = Client("127.0.0.1")
def raises(kind, call, *args, **named):
    try:
        call(*args, **named)
    except kind:
        return
    assert False, (call, args, named)
raises(TypeError, client.timing)
raises(TypeError, client.timing, "a")
raises(TypeError, client.timing, "a", "b")
raises(TypeError, client.timing, "a", None)
raises(TypeError, client.timing, "a", 1, 1, 1)
raises(TypeError, client.timing, "a", 1, time=1)
raises(TypeError, client.timing, "a", 1, rate=1)
raises(TypeError, client.timing, "a", 1, "1")
raises(TypeError, client.timing_since, "a", "b")
raises(TypeError, client.gauge, "a", [])
raises(TypeError, client.increment, [["a"]])
raises(TypeError, client.increment, {})
raises(TypeError, client.update_stats, "a", ())
raises(AttributeError, client.send, ["a"])
raises(TypeError, client.send, type("Odd", (), {"items": lambda self: [1]})())
raises(OverflowError, client.gauge, "a", 10**400)
raises(TypeError, Client, 5)
raises(TypeError, Client, "a", None)
raises(TypeError, Client, "a", 1, None, 1)
raises(TypeError, Client, name="a")
raises(ValueError, Client, "127.0.0.1", 0)
raises(ValueError, Client, "127.0.0.1", 65536)
raises(ValueError, Client, "127.0.0.1", "x")
raises(OSError, Client, "no-such-host.invalid")
raises(TypeError, Client.__new__(Client).increment, "a")
client.prefix = 5
raises(TypeError, client.increment, "a")
del client.prefix
raises(AttributeError, client.increment, "a")
""")


def test_sending_never_raises():
    """What cannot be sent is logged once, a server that is away not even that."""
    _, said = run(r"""
import socket
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
client = Client("127.0.0.1", sink.getsockname()[1])
sink.close()
for _ in range(5):
    client.increment("away")
for name in "\ud800", "\ud801", "nul\0", "", "x" * 5000:
    client.increment(name)
client.send({"a": "no type"})
client.increment("away")
client.send({"b": "no type"})
""")
    began = [re.match(r"cannot send '(.{0,4})", line)[1] for line in said.splitlines()]
    assert began == [r"\ud8", "': i", "xxxx", "a': ", "b': "], said
    assert said.splitlines()[0].endswith("there is a NUL or half a surrogate pair in it")
    assert max(map(len, said.splitlines())) < 200


def test_a_class_of_one_s_own():
    run("""
from pystatsd import Client
class Kept(Client):
    def __init__(self, *args, **named):
        super().__init__(*args, **named)
        self.kept = []
    def send(self, data, sample_rate=1):
        self.kept.append((data, sample_rate))
client = Kept("127.0.0.1", prefix="p")
client.timing("t", 5, 0.5)
client.increment(["a", "b"])
client.gauge("g", 1, sample_rate=0.1)
assert client.kept == [({"t": "5.000000|ms"}, 0.5), ({"a": "1|c", "b": "1|c"}, 1),
                       ({"g": "1.000000|g"}, 0.1)], client.kept
""")


def test_threads_and_forks():
    run("""
import os, socket, threading
from pystatsd import Client
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
sink.bind(("127.0.0.1", 0))
sink.settimeout(20)
client = Client("127.0.0.1", sink.getsockname()[1])
def send():
    for _ in range(100):
        client.increment("c")
threads = [threading.Thread(target=send) for _ in range(4)]
for thread in threads:
    thread.start()
child = os.fork()
if child == 0:
    send()
    os._exit(0)
for thread in threads:
    thread.join()
assert os.waitpid(child, 0)[1] == 0
for _ in range(500):
    assert sink.recv(99) == b"c:1|c"
""")


@pytest.mark.skipif("sanitize" in BUILD, reason="it keeps what was freed")
def test_nothing_leaks():
    run("""
import copy, gc, os, socket, sys, tracemalloc
from pystatsd import Client, Server
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("127.0.0.1", 0))
port = sink.getsockname()[1]
client = Client("127.0.0.1", port, "prefix")
stat, stats, rate, start, data = "a stat", ["one", "two"], 0.5 + port, 1.5 + port, {"x": "1|c"}
big, host, thing = 10**20 + port, "127.0.0." + "1", object()
def refused(call, *args, **named):
    try:
        call(*args, **named)
    except Exception:
        return
    assert False
def use():
    client.timing(stat, big, rate)
    client.timing(stat, big)
    client.timing_since(stat, start, sample_rate=rate)
    client.gauge(stat, big, rate)
    client.increment(stats, rate)
    client.decrement(stat)
    client.update_stats(stats, big, sample_rate=rate)
    client.update_stats(stat, start)
    client.send(data, rate)
    client.increment("")
    client.increment("\\ud800")
    refused(client.timing, stat, thing)
    refused(client.timing, stat, big, thing)
    refused(client.timing, stat, big, stat=thing)
    refused(client.increment, thing)
    refused(client.increment, [stat, thing])
    refused(client.send, stat)
    client.send({stat: thing})
    client.itself = client
    copy.copy(client).increment(stat)
    refused(Client, thing)
    refused(Client, host, thing)
    repr(client), client.addr, client.host, client.port
    server = Server(big, global_prefix=thing, counters_prefix=stat)
    server.me = server
    refused(server.serve, host, big)
    refused(server.serve, host, 1)
    refused(Server, nothing=thing)
def make():
    made = Client(host, port, stat)
    made.itself = copy.copy(made).of = made
    made.__init__(host.encode(), port, thing)
def state():
    gc.collect()
    with open("/proc/self/statm") as file:
        pages = int(file.read().split()[1])
    counts = [sys.getrefcount(it) for it in
              (stat, stats, rate, start, data, big, host, thing, Client, Server, "one", None)]
    return pages * 4, counts[:-1], len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
import logging
logging.disable()
def measure(n, action):
    for _ in range(n):
        action()
    return state()
for action, n in (use, 5000), (make, 1000):
    measure(n // 5, action)
    before, after = state(), measure(n, action)
    assert before[1:] == after[1:], (before, after)
    assert after[0] - before[0] < 512, (before, after)
    tracemalloc.start()
    for _ in "warm", "measured":
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(n):
            action()
        gc.collect()
    more = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert more < 80000, more  # what Python keeps for the next time
""")


# --- Server ---

# Serves on the port given, its carbon's port and what else it is told in JSON.
SERVE = """
import json, sys, threading
from pystatsd import Server
port, more = int(sys.argv[1]), json.loads(sys.argv[2])
server = Server(**more)
threading.Thread(target=lambda: sys.stdin.read() and server.stop(), daemon=True).start()
try:
    print("served:", server.serve("127.0.0.1", port))
except BaseException as error:
    print("raised:", repr(error))
"""


class Serving:
    """A program that serves."""

    def __init__(self, sink, program=SERVE, **more):
        self.port = proc.free_udp_port()
        settings = {"graphite_host": sink.host, "graphite_port": sink.port,
                    "flush_interval": 1000, "no_aggregate_counters": True, **more}
        self.process = subprocess.Popen(
            [PYTHON, "-c", program, str(self.port), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(),
            start_new_session=True,
        )
        until(lambda: self.is_up() or self.process.poll() is not None, "a server")

    def is_up(self):
        """Behind all that a start does, but for the children's own."""
        return "pystatsd-sender" in proc.group(self.process.pid).values()

    def send(self, text):
        run(f"import sys\nfrom pystatsd import Client\nsc = Client('127.0.0.1', {self.port})\n{text}")

    def master(self):
        return next(pid for pid, name in proc.children(self.process.pid).items()
                    if name == "pystatsd-master")

    def end(self, given=None):
        """What it printed, at its end, where it has left nobody."""
        out, err = self.process.communicate(given, timeout=3 * PATIENCE_S)
        proc.wait_gone(proc.group(self.process.pid), "the server to end")
        assert not SANITIZER.search(err), err
        return out, err

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        proc.wait_gone(proc.group(self.process.pid), "the server to end")


@pytest.fixture
def servings(sink):
    made = []

    def make(**more):
        made.append(Serving(sink, **more))
        return made[-1]

    yield make
    for serving in made:
        serving.close()


CALLS = """
sc.timing('app.time', 500)
sc.increment('app.up')
sc.incr('app.up')
sc.decrement('app.down')
sc.gauge('app.gauge', 42)
"""
SHOWN = {
    "stats.timers.app.time.upper": 500,
    "stats.app.up": 2,
    "stats.app.down": -1,
    "stats.app.gauge": 42,
}


def assert_shown(sink):
    for name, value in SHOWN.items():
        sink.wait(lambda: sink.last(name) == value, f"{name} to be {value}")


def test_serve_and_stop(servings, sink):
    serving = servings(debug=True)
    serving.send(CALLS)
    assert_shown(sink)
    out, err = serving.end("stop")
    assert "served: None" in out
    assert "Sending app.up => count=2" in out and "master: stopped" in err


def test_keyboard_interrupt(servings, sink):
    """What came before it is sent, then it is raised."""
    serving = servings(flush_interval=600000)
    serving.send(CALLS)
    serving.process.send_signal(signal.SIGINT)
    out, err = serving.end()
    assert out == "raised: KeyboardInterrupt()\n"
    assert "received 5 = applied 5" in err
    assert_shown(sink)


def test_ctrl_c_on_a_terminal(servings):
    """There the server gets one of its own."""
    serving = servings()
    os.killpg(serving.process.pid, signal.SIGINT)
    assert serving.end()[0] in ("raised: KeyboardInterrupt()\n", "served: None\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_program(servings, number):
    serving = servings()
    serving.process.send_signal(number)
    assert "master: stopped" in serving.end()[1]


def test_privileges(servings):
    """Those of the program stay, and the server has none."""
    serving = servings()
    server = proc.status(serving.master())
    assert server["Uid"].split()[1] != "0"
    assert int(server["CapEff"], 16) == 0
    assert proc.status(serving.process.pid)["Uid"].split()[1] == str(os.geteuid())


def test_settings_reach_the_server(servings, sink):
    serving = servings(pct_threshold=75.5, global_prefix="g", counters_prefix="c", timers_prefix="t",
                       no_aggregate_counters=False, expire=100)
    serving.send("for i in range(100): sc.timing('time', i + 1)\nsc.gauge('gauge', 1)")
    sink.wait(lambda: sink.total("g.t.time.count") == 100, "the timer")
    sink.wait(lambda: sink.last("g.c.gauge") == 1, "the gauge")
    assert sink.last("g.t.time.upper_75_5") == 75 or sink.last("g.t.time.upper_75.5") == 75


@pytest.mark.parametrize("more, said", [
    ({"transport": "ganglia"}, "ganglia"),
    ({"transport": "no-such"}, "no-such"),
    ({"pct_threshold": "x"}, "PCT"),
    ({"flush_interval": 1}, "FLUSH_INTERVAL"),
])
def test_refused_settings(servings, more, said):
    out, err = servings(**more).end()
    assert out.startswith("raised: RuntimeError(") and "78" in out
    assert said in err


def test_ganglia_s_settings_are_its_transports(servings, sink):
    """py-statsd's own program always gives them."""
    serving = servings(ganglia_host="gmond", ganglia_max_length=50, gmetric_options="-d 60",
                       ganglia_port="8650", gmetric_exec=None)
    serving.send(CALLS)
    assert_shown(sink)
    assert "served: None" in serving.end("stop")[0]


def test_port_in_use(sink):
    with proc.hold_udp_port() as holder:
        out, err = run(SERVE, holder.getsockname()[1], "{}")
    assert out.startswith("raised: RuntimeError(") and "in use" in err


def test_server_s_face():
    run("""
import inspect, os
from pystatsd import Server
usual = dict(pct_threshold=90, debug=False, transport="graphite", ganglia_host="localhost",
             ganglia_port=8649, ganglia_spoof_host="statsd:statsd", ganglia_max_length=100,
             gmetric_exec="/usr/bin/gmetric", gmetric_options="-d", graphite_host="localhost",
             graphite_port=2003, global_prefix=None, flush_interval=10000,
             no_aggregate_counters=False, counters_prefix="stats", timers_prefix="stats.timers",
             expire=0)
assert vars(Server()) == usual and list(vars(Server())) == list(usual)
assert vars(Server(*range(17))) == dict(zip(usual, range(17)))
assert vars(Server(95, flush_interval=5)) == {**usual, "pct_threshold": 95, "flush_interval": 5}
assert str(inspect.signature(Server.serve)) == "(self, /, hostname='', port=8125)"
def raises(kind, call, *args, **named):
    try:
        call(*args, **named)
    except kind:
        return
    assert False, (call, args, named)
raises(TypeError, Server, *range(18))
raises(TypeError, Server, port=1)
raises(TypeError, Server().serve, "", "8125")
raises(TypeError, Server().serve, 5)
raises(ValueError, Server().serve, "", 0)
raises(TypeError, Server(graphite_host=5).serve)
raises(TypeError, Server(graphite_port="2004").serve)
raises(ValueError, Server(flush_interval=0).serve)
raises(ValueError, Server(expire=-1).serve)
os.environ["PYSTATSD_SERVER"] = "/nowhere/pystatsd-server"
raises(FileNotFoundError, Server().serve)
""")


def test_serve_in_a_thread_and_in_a_process():
    """The main thread goes on; the exit of a process that serves is the server's as well."""
    out, err = run("""
import multiprocessing, sys, threading, time
from pystatsd import Client, Server
port, thread_s, process_s = int(sys.argv[1]), Server(transport="none"), Server(transport="none")
def wait(bound):
    while any(line.split()[1].endswith(f":{port:04X}") for line in open("/proc/net/udp")) != bound:
        time.sleep(0.01)
thread = threading.Thread(target=thread_s.serve, args=("127.0.0.1", port))
thread.start()
wait(True)
try:
    thread_s.serve()
except RuntimeError as error:
    print(error)
thread_s.stop()
thread.join()
wait(False)
process = multiprocessing.get_context("fork").Process(target=process_s.serve, args=("127.0.0.1", port))
process.start()
wait(True)
process.terminate()
process.join()
wait(False)
""", proc.free_udp_port())
    assert out == "this Server is already serving\n"
    assert err.count("master: stopping") == 2


def test_stopped_before_it_serves():
    out, _ = run(SERVE.replace("threading.Thread(", "server.stop(); threading.Thread("),
                 proc.free_udp_port(), '{"transport": "none"}')
    assert out == "served: None\n"


# --- the example that everybody begins with ---

EXAMPLE = """
from pystatsd import Client, Server

srvr = Server(debug=True)
srvr.serve()

sc = Client('example.org',8125)
""" + CALLS

# As root of a network of its own, where all ports are free and example.org is here.
STAGE = """
set -e
mount --bind "$1" /etc/hosts
ip link set lo up
exec "$2" -c "$3" "$4"
"""
DIRECTOR = """
import signal, socket, subprocess, sys, threading, time
example = sys.argv[1]
carbon = socket.socket()
carbon.bind(("127.0.0.1", 2003))
carbon.listen()
def take():
    while True:
        connection = carbon.accept()[0]
        with connection, connection.makefile() as lines:
            for line in lines:
                print(line, end="", flush=True)
threading.Thread(target=take, daemon=True).start()
server = subprocess.Popen([sys.executable, "-c", example], stderr=subprocess.PIPE, text=True)
try:
    while "serving udp port 8125" not in server.stderr.readline():
        assert server.poll() is None
    subprocess.run([sys.executable, "-c", example.replace("srvr.serve()", "")], check=True)
    server.send_signal(signal.SIGINT)
    assert "KeyboardInterrupt" in server.communicate(timeout=60)[1]
finally:
    server.kill()
"""


@pytest.mark.skipif(not IS_ROOT or not shutil.which("unshare") or not shutil.which("ip"),
                    reason="takes root and iproute2: a network of its own")
def test_the_first_example(place):
    hosts = os.path.join(place, "hosts")
    with open(hosts, "w", encoding="ascii") as file:
        file.write("127.0.0.1 localhost example.org\n")
    done = subprocess.run(
        ["unshare", "--net", "--mount", "sh", "-c", STAGE, "stage", hosts, PYTHON, DIRECTOR, EXAMPLE],
        capture_output=True, text=True, env=environment(), timeout=6 * PATIENCE_S, check=False)
    if "Operation not permitted" in done.stderr:
        pytest.skip("no network of its own to be had")
    assert done.returncode == 0, done.stderr
    shown = dict(line.split(" ")[:2] for line in done.stdout.splitlines()
                 if line.startswith("stats."))
    # Rates of an interval that was cut short: their signs and the rest.
    assert float(shown["stats.app.up"]) > 0 > float(shown["stats.app.down"])
    assert float(shown["stats.timers.app.time.upper"]) == 500
    assert float(shown["stats.app.gauge"]) == 42
