"""The client libraries that Debian ships, as applications use them, against the daemon."""

import os
import random
import subprocess

import pytest

from lib.daemon import installed


def run_client(argv, **env):
    subprocess.run(
        argv,
        check=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", **env},
    )


def assert_values(daemon, counters=None, gauges=None, timers=None, sets=None):
    """What the sink has once everything is in."""
    sink = daemon.sink
    for name, value in (counters or {}).items():
        sink.wait(lambda: sink.total(f"stats.{name}") == value, f"{name} to be {value}")
    for name, value in (gauges or {}).items():
        sink.wait(lambda: sink.last(f"stats.{name}") == value, f"{name} to be {value}")
    for name, values in (timers or {}).items():
        timer = f"stats.timers.{name}"
        sink.wait(lambda: sink.total(f"{timer}.count") == len(values), f"{name} to be complete")
        assert min(value for _, value in sink.series(f"{timer}.lower")) == min(values)
        assert max(value for _, value in sink.series(f"{timer}.upper")) == max(values)
    for name, value in (sets or {}).items():
        sink.wait(lambda: sink.total(f"stats.sets.{name}.count") == value, f"set {name}")
    assert sink.total("statsd.bad_lines_seen") == 0


def test_python(daemon, monkeypatch):
    statsd = pytest.importorskip("statsd", reason="python3-statsd is not installed")
    client = statsd.StatsClient("127.0.0.1", daemon.port, prefix="py")
    client.incr("c", 3)
    client.decr("c")
    client.gauge("g", 42.5)
    client.timing("t", 320)
    client.timing("t", 12.5)
    for member in ("x", "y", "z"):
        client.set("s", member)
    with client.pipeline() as pipe:
        for _ in range(100):
            pipe.incr("piped")
    monkeypatch.setattr(random, "random", lambda: 0.0)  # every sample is taken
    for _ in range(5):
        client.incr("sampled", rate=0.1)
    client.close()
    assert_values(
        daemon,
        {"py.c": 2, "py.piped": 100, "py.sampled": 50},
        {"py.g": 42.5},
        {"py.t": [320, 12.5]},
        {"py.s": 3},
    )


PERL = """
BEGIN { *CORE::GLOBAL::rand = sub { 0 } }  # every sample is taken
use Net::Statsd;
$Net::Statsd::HOST = '127.0.0.1';
$Net::Statsd::PORT = $ARGV[0];
Net::Statsd::increment('perl.c') for 1 .. 10;
Net::Statsd::decrement('perl.c');
Net::Statsd::update_stats(['perl.c', 'perl.d'], 5);
Net::Statsd::update_stats('perl.sampled', 2, 0.5) for 1 .. 4;
Net::Statsd::gauge('perl.g' => 7.5);
Net::Statsd::timing('perl.t', $_) for 10, 20, 30;
"""


def test_perl(daemon):
    probe = ["perl", "-MNet::Statsd", "-e", "1"]
    if not installed("perl") or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("libnet-statsd-perl is not installed")
    run_client(["perl", "-e", PERL, str(daemon.port)])
    assert_values(
        daemon,
        {"perl.c": 14, "perl.d": 5, "perl.sampled": 16},
        {"perl.g": 7.5},
        {"perl.t": [10, 20, 30]},
    )


NODE = """
var lynx = require('lynx'), client = new lynx('127.0.0.1', Number(process.argv[1]));
for (var i = 0; i < 10; i++) client.increment('node.c');
client.decrement('node.c');
client.count('node.d', 5);
client.gauge('node.g', 7.5);
client.timing('node.t', 10);
client.timing('node.t', 30);
client.set('node.s', 'x');
client.set('node.s', 'y');
client.send({'node.packed.a': '1|c', 'node.packed.b': '2|c'});
"""


def test_node(daemon):
    if not installed("node") or not os.path.isdir("/usr/share/nodejs/lynx"):
        pytest.skip("node-lynx is not installed")
    run_client(["node", "-e", NODE, str(daemon.port)], NODE_PATH="/usr/share/nodejs")
    assert_values(
        daemon,
        {"node.c": 9, "node.d": 5, "node.packed.a": 1, "node.packed.b": 2},
        {"node.g": 7.5},
        {"node.t": [10, 30]},
        {"node.s": 2},
    )


def test_bytes_of_py_statsd(daemon):
    """What its client puts on the wire for the example in its own README, and a sampled counter."""
    for datagram in (
        "python_test.time:500.000000|ms",
        "python_test.inc_int:1|c",
        "python_test.decr_int:-1|c",
        "python_test.gauge:42.000000|g",
        "python_test.sampled:1|c|@0.5",
    ):
        daemon.send(datagram)
    assert_values(
        daemon,
        {"python_test.inc_int": 1, "python_test.decr_int": -1, "python_test.sampled": 2},
        {"python_test.gauge": 42},
        {"python_test.time": [500]},
    )
