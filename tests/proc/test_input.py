"""What anybody may send: bad lines cost themselves only, limits hold, every line is counted."""

import random
import re

import pytest

from lib.wait import until

LINE = re.compile(rb"[!-~]+ -?[0-9]+(\.[0-9]+)? [0-9]{1,10}\n")

BAD = {
    "no_value": [b"foo", b"foo:", b"|c", b"foo|c"],
    "no_name": [b":1|c", b"\xc3\xa9:1|c", b"()*:1|g"],
    "no_type": [b"foo:1", b"foo:1|"],
    "bad_type": [b"foo:1|x", b"foo:1|C", b"foo:1|kv", b"foo:1|mss", b"foo:1||@0.1"],
    "bad_value": [
        b"foo:x|c",
        b"foo:nan|g",
        b"foo:inf|ms",
        b"foo:0x10|c",
        b"foo:1_0|g",
        b"foo:1e999|c",
        b"foo:1,5|ms",
        b"foo:--1|g",
        b"foo:1:2|c",
    ],
    "bad_rate": [b"foo:1|c|@0", b"foo:1|c|@2", b"foo:1|c|@-1", b"foo:1|c|@x", b"foo:1|ms|@nan"],
    "bad_field": [b"foo:1|c|0.1", b"foo:1|c|#tag:x"],
    "too_long": [b"n" * 241 + b":1|c", b".".join([b"n" * 200] * 3) + b":1|g"],
}


@pytest.mark.parametrize("reason", BAD)
def test_bad_line_costs_itself_only(daemon, reason):
    lines = BAD[reason]
    good = [f"good{i}:1|c".encode() for i in range(len(lines) + 1)]
    mixed = [good[0]] + [line for pair in zip(lines, good[1:]) for line in pair]
    daemon.send(b"\n".join(mixed))
    sink = daemon.sink
    sink.wait_total(f"stats.good{len(lines)}", 1)
    assert sink.total(f"statsd.bad.{reason}") == len(lines)
    assert sink.total("statsd.bad_lines_seen") == len(lines)
    assert [sink.total(f"stats.good{i}") for i in range(len(good))] == [1] * len(good)
    assert not any("foo" in name for name, _ in sink.store)


def test_good_is_not_bad(daemon):
    """Blanks, carriage returns, empty lines, a missing last newline: no reason to complain."""
    daemon.send(b"a:1|c\r\nb: 2 |g\r\n\r\nc:3|ms\n\n", b"\n", b"a:1|c|@1 ", b"d:4|c\n")
    sink = daemon.sink
    sink.wait_total("stats.d", 4)
    assert sink.total("stats.a") == 2
    assert sink.last("stats.b") == 2
    assert sink.total("stats.timers.c.upper") == 3
    assert sink.total("statsd.bad_lines_seen") == 0


def test_log_of_bad_lines_is_limited_and_clean(daemons, sink):
    daemon = daemons(sink, args=["--debug"])
    for i in range(400):
        daemon.send(b"evilmark%d\x00\x1b[31m\xff\r\n\x07" % i)
    sink.wait_total("statsd.bad_lines_seen", 400)
    with open(f"{daemon.place}/stderr", "rb") as file:
        log = file.read()
    shown = [line for line in log.splitlines() if b"evilmark" in line]
    assert shown and all(b"127.0.0.1" in line for line in shown)
    seconds = {line[:19] for line in shown}
    assert len(shown) <= 20 * (len(seconds) + 1)
    assert len(shown) < 200
    assert not re.search(rb"[^\n -~]", log)
    assert not re.search(r"[^\n -~]", daemon.output)


def test_bad_lines_are_not_logged_without_debug(daemon):
    daemon.send(*[b"evilmark"] * 100)
    daemon.sink.wait_total("statsd.bad_lines_seen", 100)
    assert "evilmark" not in daemon.log


def test_largest_datagram(daemon):
    line = b"k:1|c\n"
    n = (65507 - 20) // len(line)
    last = b"k:" + b"1|c".rjust(65507 - n * len(line) - 2, b"0")
    daemon.send(line * n + last)
    daemon.sink.wait_total("stats.k", n + 1)
    assert daemon.sink.total("stats.k") == n + 1
    assert daemon.sink.total("statsd.bytes_received") == 65507
    assert daemon.sink.total("statsd.truncated") == 0


def mutated(dice):
    """A line that is nearly right, or bytes."""
    if dice.random() < 0.3:
        return dice.randbytes(dice.randrange(300))
    line = bytearray(dice.choice([b"a.b:1|c|@0.5", b"t/x y:320|ms", b"g:-1.5e3|g", b"s:\xff|s"]))
    for _ in range(dice.randrange(4)):
        line[dice.randrange(len(line))] = dice.choice(b":|@#\n\0 c.5e\xc3-" + dice.randbytes(3))
    return bytes(line)


@pytest.mark.parametrize("seed", [1, 2])
def test_garbage_in_no_garbage_out(daemon, seed):
    dice = random.Random(seed)
    for _ in range(10):
        daemon.send(*(b"\n".join(mutated(dice) for _ in range(10)) for _ in range(50)))
        daemon.send("ok:1|c")
    sink = daemon.sink
    sink.wait_total("stats.ok", 10)
    assert sink.total("stats.ok") == 10
    for batch in sink.batches:
        for line in batch.data.splitlines(keepends=True):
            assert LINE.fullmatch(line), line
    assert sink.total("statsd.truncated") == 0
    assert (sink.last("statsd.restarts.worker") or 0) == 0


def test_max_metrics(daemons, sink):
    """Beyond the limit new names are refused and counted; old ones stay exact, of all types."""
    daemon = daemons(sink, {"MAX_METRICS": "10", "AGGREGATE_COUNTERS": "no"})
    old = [f"old{i}" for i in range(10)]
    daemon.send("\n".join(f"{name}:1|c" for name in old))
    sink.wait_total("stats.old9", 1)
    daemon.send("\n".join(f"new{i}:1|{kind}" for i in range(5) for kind in ("c", "g", "ms", "s")))
    daemon.send("\n".join(f"{name}:2|c" for name in old))
    sink.wait_total("stats.old9", 3)
    assert [sink.total(f"stats.{name}") for name in old] == [3] * 10
    assert not any("new" in name for name, _ in sink.store)
    assert sink.total("statsd.refused.metrics") == 20
    assert sink.last("statsd.metrics_active.counter") == 10


@pytest.mark.parametrize(
    "key,limit,fits,too_long",
    [
        ("MAX_NAME", 20, "ab.cd.ef.gh.ij.kl.mn", "ab.cd.ef.gh.ij.kl.mno"),
        ("MAX_NODE", 8, "a.12345678.b.12345678", "a.123456789.b"),
    ],
)
def test_length_limits(daemons, sink, key, limit, fits, too_long):
    daemon = daemons(sink, {key: limit, "AGGREGATE_COUNTERS": "no"})
    daemon.send(f"{too_long}:1|c\n{fits}:1|c\n{too_long}:1|g\n{too_long}:x|s\n{too_long}:1|ms")
    sink.wait_total(f"stats.{fits}", 1)
    assert sink.total("statsd.bad.too_long") == 4
    assert not any(too_long in name for name, _ in sink.store)


def test_ledger(daemons, sink):
    """Every line received was applied, bad, or refused."""
    daemon = daemons(sink, {"MAX_METRICS": "50", "AGGREGATE_COUNTERS": "no"})
    dice = random.Random(7)
    for _ in range(100):
        name = f"n{dice.randrange(100)}"
        daemon.send("\n".join(dice.choice([f"{name}:1|c", f"{name}:1", "bad"]) for _ in range(20)))
    sink.wait(lambda: sink.total("statsd.lines_received") >= 2000, "all lines")
    assert sink.total("statsd.lines_received") == 2000
    assert sink.total("statsd.packets_received") == 100
    refused = sum(value for (name, _), value in sink.store.items() if "statsd.refused." in name)
    applied = sum(value for (name, _), value in sink.store.items() if name.startswith("stats.n"))
    reasons = sum(value for (name, _), value in sink.store.items() if "statsd.bad." in name)
    assert reasons == sink.total("statsd.bad_lines_seen") > 0
    assert refused > 0
    assert applied + reasons + refused == 2000


def test_own_statistics_are_always_there(daemon):
    """A flush goes out even when nothing arrived."""
    batches = daemon.sink.wait_batches(3)
    for batch in batches[:3]:
        assert batch.values()["statsd.numStats"] == 0
        assert all(name.startswith("statsd.") for name in batch.values())


def test_only_num_stats(daemons, sink):
    daemon = daemons(sink, {"SELF_STATS": "no", "SELF_PREFIX": "own", "AGGREGATE_COUNTERS": "no"})
    daemon.send("a:1|c\nb:1|ms")
    sink.wait_total("stats.a", 1)
    own = {name for name, _ in sink.store if not name.startswith("stats.")}
    assert own == {"own.numStats"}
    assert max(value for _, value in sink.series("own.numStats")) == 2


def test_expire(daemons, sink):
    """A gauge is repeated until nothing was heard of it for EXPIRE seconds."""
    daemon = daemons(sink, {"EXPIRE": "2"})
    daemon.send("g:7|g")
    sink.wait(lambda: "stats.g" in sink.latest, "the gauge")
    until(lambda: "stats.g" not in sink.latest, "the gauge to expire")
    assert 2 <= len(sink.series("stats.g")) <= 4
    daemon.send("g:8|g")
    sink.wait(lambda: sink.last("stats.g") == 8, "the gauge to come back")
