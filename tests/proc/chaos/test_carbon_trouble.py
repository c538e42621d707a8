"""Carbon away or out of its mind for long: every interval comes later, with its own timestamp."""

import time

import pytest

from lib import chaos, proc
from lib import sink as faults

SECONDS = chaos.pick(1.5, 120)
LAG_S = 1 + 0.5  # an interval, and what a busy machine takes
MORE_KIB = 4 * 1024
RATE = 1_000
SETTINGS = {
    **chaos.SETTINGS,
    "CONNECT_TIMEOUT": "1",
    "SEND_TIMEOUT": "2",
    "REPLAY_WINDOW": "0",  # what was delivered takes no memory
}


def refuse(sink):
    sink.refuse()
    return sink.listen


def misbehave(fault):
    def begin(sink):
        sink.fault = fault

        def end():
            sink.fault = None

        return end

    return begin


TROUBLES = {
    "refuses": refuse,
    "stalls": misbehave(faults.stall),
    "byte-a-second": misbehave(faults.drip),
    "closes-at-once": misbehave(faults.close_at_once),
    "resets-at-once": misbehave(faults.reset_after(0)),
    "withholds-fin": misbehave(faults.withhold_fin),
    "floods": misbehave(faults.flood),
}


def n_descriptors(pid):
    try:
        return len(proc.descriptors(pid))
    except PermissionError:
        return 0  # takes root to see


def sizes(daemon):
    """{process: (KiB, descriptors)}, but for the resolver's, which comes and goes."""
    pids = {"master": daemon.pid, **{role: daemon.child(role) for role in ("worker", "sender")}}
    return {
        role: (int(proc.status(pid)["VmRSS"].split()[0]), n_descriptors(pid))
        for role, pid in pids.items()
    }


def assert_flat(before, after):
    for comm, (kib, n) in before.items():
        assert after[comm][1] <= n + 1, f"{comm}: a connection comes and goes"
        assert chaos.IS_SANITIZED or after[comm][0] <= kib + MORE_KIB, comm


def stamps(sink):
    return {batch.timestamp for batch in sink.batches}


def await_all(sink, first, until_s):
    """Every interval from first on is there; returns when that was so."""

    def is_there():
        there = stamps(sink)
        return set(range(first, int(until_s) + 1)) <= there

    sink.wait(is_there, "every interval", timeout=60 + SECONDS)


def assert_live_comes_first(sink, since):
    late = [
        (batch.timestamp, batch.ended - batch.timestamp)
        for batch in sink.batches
        if batch.timestamp > since and batch.ended - batch.timestamp > LAG_S
    ]
    assert not late, late


def assert_pace(sink, since, before):
    """The backlog comes at four times the live rate at most, and oldest first."""
    backlog = [it for it in sink.batches if it.began >= since and it.timestamp < before - 1]
    order = [it.timestamp for it in sorted(backlog, key=lambda it: it.began)]
    assert order == sorted(order)
    if len(backlog) > 20:
        took = max(it.ended for it in backlog) - min(it.began for it in backlog)
        assert len(backlog) <= 4 * (took + 2), f"{len(backlog)} intervals in {took:.1f} s"


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble(daemons, sinks, loads, name):
    sink = sinks()
    daemon = daemons(sink, SETTINGS)
    load = loads(daemon, rate=RATE)
    sink.wait_batches(2)
    first, before = min(stamps(sink)), sizes(daemon)
    end = TROUBLES[name](sink)
    time.sleep(SECONDS)  # of trouble
    during = sizes(daemon)
    n_before, lifted = len(sink.batches), time.time()
    end()
    sink.wait(lambda: len(sink.batches) > n_before, "carbon to be tried", timeout=45)
    again = time.time()
    await_all(sink, first, again)
    assert_live_comes_first(sink, again)
    assert_pace(sink, lifted, again)
    assert_flat(before, sizes(daemon))
    assert_flat(before, {it: (0, n) for it, (_, n) in during.items()})
    chaos.finish(daemon, sink, load)
    chaos.assert_no_own_death(daemon)
