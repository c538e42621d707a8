"""A child that is stopped or runs in circles is replaced within 8 s; only the kernel may drop."""

import os
import re
import signal
import time

import pytest

from lib import chaos, load, proc
from lib.wait import until

REPLACED_WITHIN_S = 8
BUSY_S = 4  # what a busy machine adds
# Few enough that the socket's buffer holds what comes meanwhile, and so many that it cannot.
RATES = {"worker": {"64M": 5_000, "1M": 20_000}, "sender": {"64M": 20_000}}
CASES = [(role, buffer) for role in RATES for buffer in RATES[role]]


def await_replacement(daemon, role, pid, since, n_before=0):
    """The hung one is gone and another has its name, in time; after several the back-off grows."""
    until(lambda: chaos.child(daemon, role, pid), f"another {role}", 2 * REPLACED_WITHIN_S)
    took = time.monotonic() - since
    assert not proc.alive(pid)
    back_off_s = 0.11 * (2**n_before - 1)
    assert took <= REPLACED_WITHIN_S + BUSY_S + back_off_s, f"only after {took:.1f} s"
    assert daemon.warnings(f"(pid {pid})"), "nothing was said of it"


def assert_counted(daemon, sink, running):
    """Each datagram was received whole, or the kernel has counted it."""
    sent = running.stop()
    assert daemon.stop() == 0, daemon.log
    store = sink.store
    drops = load.dropped(store)
    load.assert_whole_datagrams(store, sent["datagrams"] - drops)
    chaos.assert_lines(sink)
    return drops, sent


def check(daemon, sink, running, buffer):
    drops, sent = assert_counted(daemon, sink, running)
    if buffer == "64M":
        assert drops == 0
        load.assert_exact(sink.store, sent)
    else:
        assert drops > 0


@pytest.mark.parametrize("role, buffer", CASES if chaos.FULL else CASES[:1])
def test_stopped(daemons, sink, loads, role, buffer):
    daemon = daemons(sink, {**chaos.SETTINGS, "RECEIVE_BUFFER": buffer})
    running = loads(daemon, rate=RATES[role][buffer])
    sink.wait_batches(1)
    pid, since = daemon.child(role), time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    await_replacement(daemon, role, pid, since)
    check(daemon, sink, running, buffer)


@pytest.mark.full
@pytest.mark.parametrize("role, buffer", CASES)
def test_again_and_again(daemons, sink, loads, role, buffer):
    daemon = daemons(sink, {**chaos.SETTINGS, "RECEIVE_BUFFER": buffer})
    running = loads(daemon, rate=RATES[role][buffer])
    sink.wait_batches(1)
    for i in range(4):
        pid, since = chaos.await_child(daemon, role), time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        await_replacement(daemon, role, pid, since, i)
        time.sleep(1)  # of service
    check(daemon, sink, running, buffer)


SELDOM = re.compile("start|begin|adopt|redo|drop|replay|quarantine|spool|gauges")


def loops():
    """Places that a child passes again and again."""
    return [it for it in chaos.fault_points() if not SELDOM.search(it)]


@pytest.mark.full
@pytest.mark.parametrize("name", loops())
def test_endless_loop(daemons, sink, loads, rng, name):
    role = chaos.role_of(name)
    environment = {"PYSTATSD_FAULTS": f"{name}~:{rng.randrange(3, 6)}"}
    daemon = daemons(sink, chaos.SETTINGS, server=chaos.FAULTS, environment=environment)
    first, since = daemon.child(role), time.monotonic()
    running = loads(daemon, rate=RATES[role]["64M"])
    until(lambda: chaos.child(daemon, role, first), f"another {role}", 3 * REPLACED_WITHIN_S)
    # It began to loop after some intervals at the latest.
    assert time.monotonic() - since <= REPLACED_WITHIN_S + 8
    assert not proc.alive(first)
    check(daemon, sink, running, "64M")
