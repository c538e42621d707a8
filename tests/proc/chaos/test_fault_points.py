"""SIGKILL at every named kept of the program, and again at every other while it recovers."""

import os
import re
import time

import pytest

from lib import chaos
from lib.wait import until

# One of these is passed by every process that takes over what another has left.
RECOVERY = re.compile(r"start|adopt|redo")
RATE = 2_000
N_KILLED = 2  # without any fault: one of each kind


def again(name):
    """Where to strike next: in the recovery, at the kept itself and behind it."""
    others = {it for it in chaos.fault_points() if RECOVERY.search(it)} | {name}
    return sorted(it for it in others if chaos.role_of(it) == chaos.role_of(name) or chaos.FULL)


def some(cases, n, what):
    """A few of them, which others under another seed."""
    return chaos.dice_of(what).sample(cases, min(n, len(cases)))


# Passed only with a datagram that kills, see test_poison.py.
ELSEWHERE = {"worker_quarantine"}
SINGLE = [it for it in chaos.fault_points() if it not in ELSEWHERE]
# Three for each, which ones follows from the seed: all of them would take half an hour.
PAIRS = [(first, second) for first in SINGLE for second in some(again(first), 3, first)]


def test_there_are_many():
    assert len(chaos.fault_points()) >= 25, chaos.fault_points()


class Run:
    """One daemon after another over the same state, while carbon comes late and once a child of
    each kind is killed, so that spool, replay and adoption have their turn."""

    def __init__(self, daemons, sink, kept, users, faults):
        self.daemons, self.sink = daemons, sink
        self.names = set(re.findall(r"(\w+):", faults))
        self.n_struck = 0
        self.settings = {
            **chaos.SETTINGS,
            "STATE_DIR": os.path.join(kept, "state"),
            "SPOOL_DIR": os.path.join(users, "spool"),
            "GAUGES_FILE": os.path.join(users, "gauges"),
            "CONNECT_TIMEOUT": "1",
            "SEND_TIMEOUT": "1",
            "REPLAY_WINDOW": "1" if "sender_drop" in self.names else "60",
        }

    def begin(self, faults):
        """A first start that fails is an error that the daemon ends with: then the next one."""
        environment = {"PYSTATSD_FAULTS": faults}
        daemon = self.daemons(
            self.sink, self.settings, server=chaos.FAULTS, environment=environment, start=False
        )
        try:
            daemon.start()
        except AssertionError:
            assert daemon.process.poll() is not None, "it hangs at its start"
            assert "before it could serve: signal 9" in daemon.log, daemon.log
            self.n_struck += 1
            daemon = self.daemons(self.sink, self.settings, server=chaos.FAULTS)
        return daemon

    def pass_outages(self, daemon):
        """Until what came meanwhile is delivered, or some of it."""
        until(lambda: daemon.warnings(str(self.sink.port)), "carbon to be missed")
        time.sleep(1.2)  # until another interval is over
        self.sink.listen()
        self.sink.wait_batches(2, 40)
        if "sender_drop" in self.names:  # what was delivered goes when its time is over
            time.sleep(4)  # its time, and that of the next flush
        if "sender_replay" in self.names:  # it goes out again when carbon comes back once more
            n_warnings = len(daemon.warnings(str(self.sink.port)))
            self.sink.refuse()
            until(lambda: len(daemon.warnings(str(self.sink.port))) > n_warnings, "a warning")
            self.sink.listen()
            self.sink.wait_batches(len(self.sink.batches) + 3, 40)

    def end(self, daemon):
        """What one that was struck in its end has left, a successor sends."""
        daemon.tell(15)
        daemon.wait(30)
        until(lambda: not daemon.group(), "the children to end")
        last = self.daemons(self.sink, self.settings, server=chaos.FAULTS)
        until(lambda: not self.spooled(), "the spool to be empty", 20)
        assert last.stop() == 0, last.log
        return last

    def spooled(self):
        return [it for it in os.listdir(self.settings["SPOOL_DIR"]) if it.endswith(".flush")]


def strike(daemons, sinks, loads, kept, users, faults):
    """Returns how many faults have struck, all totals being exact."""
    sink = sinks(listening=False)
    run = Run(daemons, sink, kept, users, faults)
    daemon = run.begin(faults)
    load = loads(daemon, rate=RATE)
    time.sleep(0.7)  # of the load
    for name in ("worker", "sender"):
        chaos.kill(chaos.await_child(daemon, name))
    run.pass_outages(daemon)
    sent = load.stop()
    last = run.end(daemon)
    chaos.assert_sent(last, sink, sent)
    chaos.assert_no_own_death(daemon)
    return run.n_struck + chaos.n_killed(daemon) - N_KILLED


@pytest.mark.parametrize("name", SINGLE if chaos.FULL else some(SINGLE, 3, "single"))
def test_point(daemons, sinks, loads, kept, users, name):
    assert strike(daemons, sinks, loads, kept, users, f"{name}:1") == 1, f"{name} was not passed"


@pytest.mark.full
@pytest.mark.parametrize("name", SINGLE)
def test_point_later(daemons, sinks, loads, kept, users, rng, name):
    """Not at its first passing: whether it is passed so often is not sure."""
    strike(daemons, sinks, loads, kept, users, f"{name}:{rng.randrange(2, 6)}")


@pytest.mark.parametrize("names", PAIRS if chaos.FULL else some(PAIRS, 2, "pairs"), ids="+".join)
def test_point_and_recovery(daemons, sinks, loads, kept, users, names):
    strike(daemons, sinks, loads, kept, users, ",".join(f"{name}:1" for name in names))


@pytest.mark.full
@pytest.mark.parametrize("number", range(20))
def test_many_points(daemons, sinks, loads, kept, users, rng, number):
    """Five places in any order, one after another."""
    faults = [f"{rng.choice(SINGLE)}:{rng.randrange(1, 4)}" for _ in range(5)]
    strike(daemons, sinks, loads, kept, users, ",".join(faults))
