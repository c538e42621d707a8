"""Bits that change in the worker's arena: what the next worker makes of it is right or nothing."""

import os
import re
import signal
import time

import pytest

from lib import chaos, proc
from lib.load import by_name
from lib.wait import until

# What says that a worker began with an empty arena.
RESET = re.compile(r"\[WARNING\] worker: [^\n]*: starting anew")
N = 40  # of each line


def used_parts(path):
    """[(first, end)] of what of a file is not a hole."""
    parts, at = [], 0
    fd = os.open(path, os.O_RDONLY)
    try:
        size = os.fstat(fd).st_size
        while at < size:
            try:
                first = os.lseek(fd, at, os.SEEK_DATA)
            except OSError:
                break  # only a hole is left
            at = os.lseek(fd, first, os.SEEK_HOLE)
            parts.append((first, at))
    finally:
        os.close(fd)
    return parts


def flip(path, n, rng):
    """Changes n bits at random places of what is used."""
    parts = used_parts(path)
    sizes = [end - first for first, end in parts]
    fd = os.open(path, os.O_RDWR)
    try:
        for first, end in rng.choices(parts, sizes, k=n):
            at = rng.randrange(first, end)
            byte = os.pread(fd, 1, at)[0] ^ 1 << rng.randrange(8)
            os.pwrite(fd, bytes([byte]), at)
    finally:
        os.close(fd)


def expected(node):
    """What a round comes to."""
    series = {f"stats.c.{node}": 3 * N, f"stats.g.{node}": N, f"stats.sets.s.{node}.count": N}
    for statistic in ("lower", "mean", "upper", "upper_90"):
        series[f"stats.timers.t.{node}.{statistic}"] = 7
    return {**series, f"stats.timers.t.{node}.count": N}


def send(daemon, node):
    for i in range(1, N + 1):
        daemon.send(f"c.{node}:3|c\ng.{node}:{i}|g\nt.{node}:7|ms\ns.{node}:{i}|s")


def strike(daemon, path, n_flips, rng):
    """No worker ever runs over the bits before its successor has looked at them."""
    worker = chaos.await_child(daemon, "worker")
    chaos.drained(daemon)
    time.sleep(rng.uniform(0, 0.05))  # the moment of the strike
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    flip(path, n_flips, rng)
    chaos.kill(worker)
    return chaos.await_child(daemon, "worker", worker)


def outcome(series, node):
    """What the sink has of a round: gauges repeat, and a round may be two intervals."""
    got = {}
    for name in expected(node):
        values = series.get(name, [])
        is_sum = name.endswith(".count") or name.startswith("stats.c.")
        got[name] = sum(values) if is_sum else values[-1] if values else None
    return got


def strike_rounds(daemons, sink, state, rng, rounds):
    daemon = daemons(sink, {**chaos.SETTINGS, "STATE_DIR": state}, **chaos.HASTY)
    path = os.path.join(state, "worker-1.arena")
    resets = []
    for i, n_flips in enumerate(rounds):
        n_before = len(RESET.findall(daemon.log))
        send(daemon, f"r{i}")
        strike(daemon, path, n_flips, rng)
        send(daemon, f"after{i}")
        sink.wait(lambda it=i: sink_has(sink, f"stats.c.after{it}"), "the flush behind it", 30)
        resets.append(len(RESET.findall(daemon.log)) > n_before)
    assert daemon.stop() == 0, daemon.log
    chaos.assert_no_own_death(daemon)
    assert chaos.n_killed(daemon) == len(rounds)
    chaos.assert_lines(sink)
    return resets


def sink_has(sink, name):
    return any(name.encode() + b" " in connection.data for connection in sink.connections[-3:])


def assert_right_or_reset(sink, resets):
    series = by_name(sink.store)
    known = set()
    for i, was_reset in enumerate(resets):
        got = outcome(series, f"r{i}")
        assert was_reset or got == expected(f"r{i}"), f"round {i}: neither right nor told"
        assert outcome(series, f"after{i}") == expected(f"after{i}")
        known |= set(expected(f"r{i}")) | set(expected(f"after{i}"))
    strays = {name for name in series if name.startswith("stats.")} - known
    assert not strays, sorted(strays)[:5]
    told = sum(sum(values) for name, values in series.items() if name == "statsd.resets")
    assert told == sum(resets), "a reset is counted"


# 10,000 flips: alone, in which case nothing need be lost, and by the hundred.
FULL_ROUNDS = {"1": [1] * 90, "10": [10] * 11, "100": [100] * 8, "1000": [1000] * 9}
ROUNDS = chaos.pick({"few": [1, 20]}, FULL_ROUNDS)


@pytest.mark.parametrize("rounds", ROUNDS)
def test_flips(daemons, sink, state, rng, rounds):
    assert_right_or_reset(sink, strike_rounds(daemons, sink, state, rng, ROUNDS[rounds]))


def test_no_flip(daemons, sink, state, rng):
    """A kill alone is no reason to begin anew."""
    resets = strike_rounds(daemons, sink, state, rng, [0] * chaos.pick(2, 10))
    assert not any(resets)
    assert_right_or_reset(sink, resets)


def test_all_is_rubbish(daemons, sink, state, rng):
    """Not one byte of the file is what it was: known at once, and the daemon goes on."""
    daemon = daemons(sink, {**chaos.SETTINGS, "STATE_DIR": state}, **chaos.HASTY)
    path = os.path.join(state, "worker-1.arena")
    daemon.send("lost:1|c")
    chaos.drained(daemon)
    worker = chaos.await_child(daemon, "worker")
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    with open(path, "r+b") as file:
        for first, end in used_parts(path):
            file.seek(first)
            file.write(rng.randbytes(end - first))
    chaos.kill(worker)
    until(lambda: RESET.search(daemon.log), "the daemon to say so")
    send(daemon, "after")
    sink.wait_total("stats.c.after", 3 * N)
    assert outcome(by_name(sink.store), "after") == expected("after")
    chaos.assert_no_own_death(daemon)
