"""The engine from outside: nothing is lost uncounted, intervals keep their own, limits hold."""

import math
import os
import random
import re
import signal
import socket
import time

import pytest

from lib import daemon as daemon_module
from lib import proc
from lib.wait import PATIENCE_S, until

SUMS = {"AGGREGATE_COUNTERS": "no"}
# One flush, when the daemon is asked to stop.
ONCE = {**SUMS, "FLUSH_INTERVAL": "60000"}
MIB = 1 << 20
IS_SANITIZED = "sanitize" in os.path.basename(daemon_module.BUILD)


def stopped(daemon, name):
    """Stops a child of the daemon's and returns its pid."""
    pid = daemon.child(name)
    os.kill(pid, signal.SIGSTOP)
    proc.wait_stopped(pid)
    return pid


def once(daemon, sink):
    """What the one flush at the daemon's end has."""
    assert daemon.stop() == 0
    assert len(sink.batches) == 1
    return sink.batches[0].values()


def test_every_datagram_is_received_or_counted(daemons, sink):
    """The kernel queues the first ones and drops the rest, while the worker cannot read."""
    sent = 20_000
    daemon = daemons(sink, {**SUMS, "RECEIVE_BUFFER": "256K", "TIMER_MAX_SAMPLES": "200000"})
    worker = stopped(daemon, "worker")
    daemon.send(*(b"seen:1|c\nnumber:%05d|ms" % i for i in range(sent)))
    os.kill(worker, signal.SIGCONT)

    def known():
        return sink.total("statsd.packets_received") + sink.total("statsd.udp_drops")

    sink.wait(lambda: known() >= sent, "all datagrams")
    sink.wait_batches(len(sink.batches) + 2)
    received = sink.total("statsd.packets_received")
    assert known() == sent
    assert 0 < received < sent
    (warning,) = daemon.warnings("the kernel dropped")
    granted = re.search(r"a receive buffer of (\d+ bytes)", daemon.log)[1]
    assert f"dropped {sent - received:.0f} datagrams in an interval: raise RECEIVE_BUFFER (now {granted})" in warning
    assert sink.total("stats.seen") == received
    assert sink.total("statsd.lines_received") == 2 * received
    assert sink.total("stats.timers.number.count") == received
    assert max(value for _, value in sink.series("stats.timers.number.upper")) == received - 1


def send_in_time(daemon, seconds):
    """Sends 1, 2, 3, … samples, each number about in the middle of a second.

    Returns {timestamp that they should have: how many}."""
    sent = {}
    for n in range(1, seconds + 1):
        second = int(time.time()) + 1
        time.sleep(max(0, second + 0.4 - time.time()))  # the pace of the traffic
        daemon.send(*["c:1|c"] * n)
        sent[second + 1] = n
    return sent


def test_interval_waits_for_a_stopped_sender(daemons, sink):
    """It is closed when the one before it is safe, and says how many it stands for. The sender is
    stopped for less time than makes it one that hangs."""
    daemon = daemons(sink, SUMS)
    sink.wait_batches(1)
    sender = stopped(daemon, "sender")
    n_before = len(sink.batches)
    sent = sum(send_in_time(daemon, 3).values())
    assert len(sink.batches) == n_before
    os.kill(sender, signal.SIGCONT)
    sink.wait_total("stats.c", sent)
    sink.wait_batches(len(sink.batches) + 1)
    stamps = [batch.timestamp for batch in sink.batches]
    assert stamps == sorted(set(stamps))
    assert sink.total("stats.c") == sent
    assert sink.total("statsd.lines_received") == sent
    overruns = sink.total("statsd.flush_overruns")
    assert overruns >= 1
    assert stamps[-1] - stamps[0] == len(stamps) - 1 + overruns


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_add_up(daemons, sink, threads):
    """Whatever thread a client's datagrams come to, the results are those of one."""
    n_clients, rounds = 20, 60
    n = n_clients * rounds
    daemon = daemons(sink, {**ONCE, "THREADS": threads, "PCT": "50,90,99,-10"})
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(n_clients)]
    values = list(range(1, n + 1))
    random.Random(1).shuffle(values)
    try:
        for i, value in enumerate(values):
            who, lap = i % n_clients, i // n_clients
            text = f"c:{value}|c\nt:{value}|ms\ns:{value % 500}|s\ng{who}:{lap}|g\nbad\no{who}:2|c"
            clients[who].sendto(text.encode(), ("127.0.0.1", daemon.port))
    finally:
        for client in clients:
            client.close()
    got = once(daemon, sink)
    assert got["statsd.packets_received"] + got["statsd.udp_drops"] == n
    assert got["statsd.packets_received"] == n
    assert got["stats.c"] == n * (n + 1) // 2
    timer = {key: got[f"stats.timers.t.{key}"] for key in ("count", "lower", "upper", "mean")}
    assert timer == {"count": n, "lower": 1, "upper": n, "mean": (n + 1) / 2}
    assert [got[f"stats.timers.t.upper_{p}"] for p in (50, 90, 99)] == [600, 1080, 1188]
    assert got["stats.timers.t.lower_top10"] == n - n // 10 + 1
    assert got["stats.sets.s.count"] == 500
    assert [got[f"stats.g{who}"] for who in range(n_clients)] == [rounds - 1] * n_clients
    assert [got[f"stats.o{who}"] for who in range(n_clients)] == [2 * rounds] * n_clients
    assert got["statsd.numStats"] == 3 + 2 * n_clients
    assert got["statsd.lines_received"] == 6 * n
    assert got["statsd.bad.no_value"] == n
    assert got["statsd.metrics_active.gauge"] == n_clients


def test_gauge_of_several_threads(daemons, sink):
    """Of clients that set the same gauge one after the other, the last one counts."""
    daemon = daemons(sink, {**SUMS, "THREADS": "2"})
    for value in range(1, 6):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"g:%d|g" % value, ("127.0.0.1", daemon.port))
        sink.wait(lambda: sink.last("stats.g") == value, f"the gauge to be {value}")
    assert [value for _, value in sink.series("stats.g")] == sorted(
        value for _, value in sink.series("stats.g")
    )


def rss(pid):
    """Bytes of memory that a process has now."""
    return int(proc.status(pid)["VmRSS"].split()[0]) * 1024


def own_total(sink, name):
    """sink.total of an own statistic, without a look at the lines before those, which are many."""
    found, key = {}, f"\nstatsd.{name} ".encode()
    for connection in list(sink.connections):
        data = connection.data
        start = data.rfind(key) + 1
        if start > 0 and b"\n" in data[start:]:
            _, value, timestamp = data[start : data.index(b"\n", start)].split()
            found[int(timestamp)] = float(value)
    return sum(found.values())


def flood(daemon, sink, names, per_datagram=25):
    """Sends each name once, and waits until all of that is accounted for. Returns how many lines
    were received."""
    before = own_total(sink, "lines_received")
    drops = own_total(sink, "udp_drops")
    for i in range(0, len(names), per_datagram):
        daemon.send("\n".join(f"{name}:1|c" for name in names[i : i + per_datagram]))

    def received():
        return own_total(sink, "lines_received") - before

    def lost():
        return (own_total(sink, "udp_drops") - drops) * per_datagram

    sink.wait(lambda: received() + lost() >= len(names), "all names", 3 * PATIENCE_S)
    return received()


def test_memory_limit(daemons, sink):
    """New names are refused and counted when memory is full; old ones stay exact."""
    limit = 16 * MIB
    daemon = daemons(sink, {**SUMS, "MEMORY_LIMIT": "16M"})
    sink.wait_batches(1)
    worker = daemon.child("worker")
    base = rss(worker)
    old = [f"old.name.{i}" for i in range(1000)]
    assert flood(daemon, sink, old) == 1000
    received = flood(daemon, sink, [f"new.name.{i:06d}.of.many" for i in range(300_000)])
    peak = rss(worker)
    assert flood(daemon, sink, old) == 1000
    refused = own_total(sink, "refused.memory")
    assert refused > 100_000
    store = sink.store
    sums = {}
    for (name, _), value in store.items():
        sums[name] = sums.get(name, 0) + value
    assert [sums[f"stats.{name}"] for name in old] == [2] * 1000
    applied = sum(value for name, value in sums.items() if ".new.name." in name)
    assert applied > 10_000
    assert applied + refused == received
    assert max(value for _, value in sink.series("statsd.memory_used")) <= limit
    assert daemon.child("worker") == worker
    if not IS_SANITIZED:
        assert max(peak, rss(worker)) <= 1.05 * limit + min(base, 12 * MIB)


def test_approximate_beyond_the_limits(daemons, sink):
    n, members = 20_000, 5_000
    settings = {"TIMER_MAX_SAMPLES": "1000", "SET_EXACT_MAX": "100", "PCT": "1,50,90,99.9"}
    daemon = daemons(sink, {**ONCE, **settings})
    values = list(range(1, n + 1))
    random.Random(2).shuffle(values)
    for i in range(0, n, 50):
        daemon.send("\n".join(f"t:{value}|ms" for value in values[i : i + 50]))
    for i in range(0, 2 * members, 50):  # each twice
        daemon.send("\n".join(f"s:{k % members}|s" for k in range(i, i + 50)))
    daemon.send("\n".join(f"few:{value}|ms\nfew:u{value % 100}|s" for value in range(1, 1001)))
    got = once(daemon, sink)
    assert got["statsd.udp_drops"] == 0
    assert got["stats.timers.t.count"] == n
    assert got["stats.timers.t.lower"] == 1
    assert got["stats.timers.t.upper"] == n
    assert got["stats.timers.t.mean"] == (n + 1) / 2
    for name, percentile in (("1", 1), ("50", 50), ("90", 90), ("99_9", 99.9)):
        exact = int(n * percentile / 100)
        assert math.isclose(got[f"stats.timers.t.upper_{name}"], exact, rel_tol=0.01)
    # The standard error of so many is 0.6 %, and the hash has another key in every run.
    assert math.isclose(got["stats.sets.s.count"], members, rel_tol=0.03)
    assert got["stats.timers.few.upper_99_9"] == 999
    assert got["stats.sets.few.count"] == 100


def seen_until_now(sink, name):
    return [value for _, value in sink.series(name)]


def test_idle_zero_and_omit(daemons, sink):
    settings = {"IDLE_COUNTERS": "zero", "IDLE_TIMERS": "omit", "IDLE_SETS": "zero"}
    daemon = daemons(sink, {**SUMS, **settings})
    daemon.send("c:5|c\nt:7|ms\ns:x|s\ng:9|g")
    sink.wait_total("stats.c", 5)
    sink.wait(lambda: seen_until_now(sink, "stats.c")[-3:] == [0, 0, 0], "zeros")
    assert seen_until_now(sink, "stats.c")[0] == 5
    assert set(seen_until_now(sink, "stats.c")[1:]) == {0}
    assert seen_until_now(sink, "stats.timers.t.count") == [1]
    assert seen_until_now(sink, "stats.sets.s.count")[:3] == [1, 0, 0]
    assert set(seen_until_now(sink, "stats.g")) == {9}
    assert len(seen_until_now(sink, "stats.g")) == len(seen_until_now(sink, "stats.c"))


def test_idle_timers_zero(daemons, sink):
    daemon = daemons(sink, {**SUMS, "IDLE_TIMERS": "zero"})
    daemon.send("t:7|ms")
    sink.wait(lambda: len(seen_until_now(sink, "stats.timers.t.count")) >= 3, "three flushes")
    assert seen_until_now(sink, "stats.timers.t.count")[:3] == [1, 0, 0]
    assert seen_until_now(sink, "stats.timers.t.upper") == [7]


def test_gauges_max_ttl(daemons, sink):
    daemon = daemons(sink, {**SUMS, "IDLE_GAUGES": "omit", "GAUGES_MAX_TTL": "2"})
    for value in (3, 4):
        daemon.send(f"g:{value}|g")
        sink.wait(lambda: sink.latest.get("stats.g") == value, "the gauge")
        until(lambda: "stats.g" not in sink.latest, "the gauge to go")
        assert seen_until_now(sink, "stats.g").count(value) == 2


def test_expire_by_type(daemons, sink):
    settings = {"IDLE_COUNTERS": "zero", "IDLE_SETS": "zero", "EXPIRE": "2", "EXPIRE_GAUGES": "0"}
    daemon = daemons(sink, {**SUMS, **settings, "EXPIRE_SETS": "4"})
    daemon.send("c:5|c\ns:x|s\ng:9|g")
    sink.wait(lambda: "stats.c" in sink.latest, "the counter")

    def is_gone(name):
        return name not in sink.latest

    until(lambda: is_gone("stats.c"), "the counter to expire")
    until(lambda: is_gone("stats.sets.s.count"), "the set to expire")
    n_counter, n_set = (len(sink.series(name)) for name in ("stats.c", "stats.sets.s.count"))
    assert 2 <= n_counter <= 4 < 5 <= n_set + 1 <= 7
    assert not is_gone("stats.g")
    until(lambda: sink.last("statsd.metrics_active.counter") == 0, "it to be forgotten")
    assert sink.last("statsd.metrics_active.gauge") == 1


def test_drop_and_allow(daemons, sink):
    daemon = daemons(sink, {**ONCE, "ALLOW": "app.*,web?", "DROP": "*.debug,app.noise.*"})
    kept = ["app.x", "web1", "app.debug.x"]
    lost = ["app.debug", "app.noise.x", "web", "web12", "other"]
    for _ in range(3):
        daemon.send("\n".join(f"{name}:1|c" for name in kept + lost))
    daemon.send("app.noise./x:1|c")  # judged as it would be sent
    got = once(daemon, sink)
    assert {name for name in got if not name.startswith("statsd.")} == {
        f"stats.{name}" for name in kept
    }
    assert [got[f"stats.{name}"] for name in kept] == [3] * 3
    assert got["statsd.filtered"] == 3 * len(lost) + 1
    assert got["statsd.lines_received"] == 25


@pytest.mark.parametrize("threads", [1, 2])
def test_every_line_is_accounted_for(daemons, sink, threads):
    """lines_received is what was applied, filtered, bad and refused."""
    settings = {"MAX_METRICS": "40", "DROP": "no.*", "THREADS": threads}
    daemon = daemons(sink, {**ONCE, **settings})
    dice = random.Random(3)
    lines = 0
    for _ in range(40):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            for _ in range(5):
                text = "\n".join(
                    dice.choice(["n%d:1|c", "no.%d:1|c", "bad%d", "n%d:x|c", "n%d:1|c|@3"])
                    % dice.randrange(60)
                    for _ in range(20)
                )
                client.sendto(text.encode(), ("127.0.0.1", daemon.port))
                lines += 20
    got = once(daemon, sink)

    def sum_of(prefix):
        return sum(value for name, value in got.items() if name.startswith(prefix))

    assert got["statsd.lines_received"] == lines
    assert sum_of("statsd.bad.") == got["statsd.bad_lines_seen"] > 0
    assert got["statsd.refused.metrics"] > 0 and got["statsd.filtered"] > 0
    assert sum_of("stats.n") == got["statsd.lines_applied"] > 0
    assert lines == (
        sum_of("stats.n") + got["statsd.filtered"] + sum_of("statsd.bad.")
        + sum_of("statsd.refused.")
    )
