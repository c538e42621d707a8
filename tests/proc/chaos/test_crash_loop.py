"""A child that dies at every start: it is tried ever more seldom, and serves once it can."""

import os
import re
import time

import pytest

from lib import chaos
from lib.wait import until

FIRST_S, CAP_S, JITTER = 0.1, 5.0, 0.1
SPAWN_S = 0.1  # from the decision to the process, and from its death to the next
DIED = re.compile(r"^\S+ (\S+) \[[A-Z]+\][^\n]*died: exit status 1; restarting in (\d+) ms", re.M)


def waits(n):
    return [min(FIRST_S * 2**i, CAP_S) for i in range(n)]


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def seconds(clock):
    hours, minutes, rest = clock.split(":")
    return int(hours) * 3600 + int(minutes) * 60 + float(rest.replace(",", "."))


def assert_back_off(log, n):
    """What was announced, and what the log's clock says of when it came."""
    deaths = [(seconds(clock), int(ms) / 1000) for clock, ms in DIED.findall(log)]
    assert len(deaths) == n
    # The one that was killed at its work was replaced at once.
    for i, ((_, announced), expected) in enumerate(zip(deaths, waits(n))):
        assert abs(announced - expected) <= JITTER * expected + 0.001, f"death {i}"
    for i, ((before, announced), (after, _)) in enumerate(zip(deaths, deaths[1:])):
        took = (after - before) % 86400
        assert announced - 0.01 <= took <= announced + SPAWN_S, f"start {i}"


def assert_little_is_told(daemon, seconds):
    """Of no kind of event, whoever tells it, more than once a minute."""
    often = {it: n for it, n in daemon.told().items() if n > 1 + seconds / 60}
    assert not often, often


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_killed_every_second(daemons, sinks, place, role):
    """A process of which each lives long enough to find everything amiss once more."""
    sink = sinks(listening=False)
    settings = {"SPOOL_DIR": os.path.join(place, "spool"), "SEND_TIMEOUT": "1", "MAX_METRICS": "1",
                "GAUGES_FILE": os.path.join(place, "gauges", "file")}
    daemon = daemons(sink, settings)
    began, old = time.monotonic(), 0
    for turn in range(chaos.pick(6, 60)):
        old = chaos.await_child(daemon, role, but=old)
        daemon.send("one:1|c", f"other{turn}:1|g")
        time.sleep(1.1)  # until it has been flushed
        chaos.kill(old)
    until(lambda: daemon.warnings("does not take flushes"), "the outage to be told")
    assert daemon.warnings("were refused for want of room")
    assert daemon.warnings(f"{role} (pid")
    sink.listen()
    until(lambda: "takes flushes again" in daemon.log, "the outage's end", 60)
    assert daemon.stop() == 0
    assert_little_is_told(daemon, time.monotonic() - began)


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_crash_loop(daemons, sink, loads, role):
    n = chaos.pick(4, 50)
    faults = ",".join([f"{role}_start-:2"] + [f"{role}_start-:1"] * (n - 1))
    environment = {"PYSTATSD_FAULTS": faults}
    daemon = daemons(sink, chaos.SETTINGS, server=chaos.FAULTS, environment=environment)
    running = loads(daemon, rate=100)
    sink.wait_batches(1)
    began, used = time.monotonic(), cpu_s(daemon.pid)
    chaos.kill(chaos.await_child(daemon, role))
    until(lambda: len(DIED.findall(daemon.log)) == n, f"{n} deaths", 2 * sum(waits(n)) + 10)
    gone = time.monotonic()
    assert len(daemon.warnings("died: exit")) <= 1 + (gone - began) / 60, "more than one a minute"
    # Ten polls a second at most and a fork now and then.
    assert cpu_s(daemon.pid) - used <= 0.02 * (gone - began) + 0.1, "the master is busy"
    n_batches = len(sink.batches)
    sink.wait(lambda: len(sink.batches) > n_batches, "a flush", 10)
    assert time.monotonic() - gone <= 6 + 1, "a flush is due within a second of the recovery"
    assert_back_off(daemon.log, n)
    chaos.finish(daemon, sink, running)
    assert_little_is_told(daemon, time.monotonic() - began)


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_first_start_fails(daemons, sink, role):
    """Nothing ever worked: the daemon says so and ends."""
    # A worker whose flush nobody takes leaves its memory to the end of its process.
    environment = {"PYSTATSD_FAULTS": f"{role}_start-:1", "ASAN_OPTIONS": "detect_leaks=0"}
    daemon = daemons(
        sink, chaos.SETTINGS, server=chaos.FAULTS, environment=environment, start=False
    )
    daemon.start(wait=False)
    assert daemon.wait() == 1
    assert f"{role} (pid " in daemon.log and "before it could serve" in daemon.log
    assert not daemon.group()


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_first_start_crashes(daemons, sink, loads, role):
    """What a predecessor left may be what it dies of: that is found out within three more tries."""
    environment = {"PYSTATSD_FAULTS": ",".join([f"{role}_start!:1"] * 3)}
    daemon = daemons(sink, chaos.SETTINGS, server=chaos.FAULTS, environment=environment)
    assert len(chaos.OWN_DEATH.findall(daemon.log)) == 3, daemon.log
    running = loads(daemon, rate=100)
    sink.wait_batches(len(sink.batches) + 3)  # what waited comes at once, and is none of the load
    chaos.finish(daemon, sink, running)


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_first_start_crashes_for_ever(daemons, sink, role):
    environment = {"PYSTATSD_FAULTS": ",".join([f"{role}_start!:1"] * 4)}
    daemon = daemons(
        sink, chaos.SETTINGS, server=chaos.FAULTS, environment=environment, start=False
    )
    daemon.start(wait=False)
    assert daemon.wait() == 1
    assert "before it could serve: signal 6" in daemon.log
    assert not daemon.group()
