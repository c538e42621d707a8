"""SIGKILL again and again, under load: every total at the sink is exact."""

import re
import signal
import time

import pytest

from lib import chaos, proc

# They need both processors: never two of them at once.
pytestmark = pytest.mark.xdist_group("heavy")
KILLS = chaos.pick(15, 1000)


def assert_rate(sent):
    assert chaos.IS_SANITIZED or not chaos.FULL or sent["rate"] > 0.9 * chaos.RATE


@pytest.mark.parametrize("threads", [1, 2])
def test_nobody(daemons, sink, loads, threads):
    """The load alone comes out exactly: what the others are compared with."""
    daemon = daemons(sink, {**chaos.SETTINGS, "THREADS": threads}, **chaos.FAST)
    load = loads(daemon, senders=4)
    sink.wait_batches(3)
    chaos.finish(daemon, sink, load)


def strike_children(daemons, sink, loads, rng, roles, n, threads=1):
    daemon = daemons(sink, {**chaos.SETTINGS, "THREADS": threads}, **chaos.HASTY)
    load = loads(daemon, senders=4)
    chaos.kill_children(daemon, roles, n, rng)
    assert_rate(chaos.finish(daemon, sink, load))
    chaos.assert_no_own_death(daemon)


@pytest.mark.parametrize("roles", [("worker",), ("sender",), ("worker", "sender")], ids="+".join)
def test_children(daemons, sink, loads, rng, roles):
    strike_children(daemons, sink, loads, rng, roles, KILLS)


@pytest.mark.full
def test_worker_of_two_threads(daemons, sink, loads, rng):
    strike_children(daemons, sink, loads, rng, ("worker",), 300, threads=2)


@pytest.mark.parametrize("roles", [("worker",), ("sender",)], ids="+".join)
def test_children_with_back_off(daemons, sink, loads, rng, roles):
    """The program as it is: one that is killed before it works is waited for."""
    daemon = daemons(sink, chaos.SETTINGS, **chaos.FAST)
    load = loads(daemon, rate=chaos.RATE // 5)
    chaos.kill_children(daemon, roles, chaos.pick(4, 40), rng)
    chaos.finish(daemon, sink, load)
    chaos.assert_no_own_death(daemon)


@pytest.mark.parametrize("role", ["worker", "sender"])
def test_pace(daemons, sink, loads, rng, role):
    """The program as it is: one that has worked for 0.3 s is replaced at once, all along."""
    daemon = daemons(sink, chaos.SETTINGS, **chaos.FAST)
    load = loads(daemon, rate=chaos.RATE // 5)
    killed, n = 0, chaos.pick(5, 150)
    for _ in range(n):
        killed = chaos.await_child(daemon, role, killed)
        time.sleep(rng.uniform(0.3, 0.6))  # of its life
        chaos.kill(killed)
    chaos.finish(daemon, sink, load)
    chaos.assert_no_own_death(daemon)
    assert chaos.n_killed(daemon) == n
    assert not re.search(r"restarting in [1-9]", daemon.log), daemon.log


def test_master(daemons, sink, loads, rng, state):
    """Its successor takes the same STATE_DIR and port. Between them there is no socket to send to,
    so the load pauses; what a worker has read by then is all that the kernel ever had."""
    settings = {**chaos.SETTINGS, "STATE_DIR": state}
    settings["LOCAL_PYSTATD_PORT"] = str(proc.free_udp_port())
    daemon = daemons(sink, settings, **chaos.HASTY)
    load = loads(daemon, senders=4)
    for _ in range(chaos.pick(3, 20)):
        time.sleep(rng.uniform(0, 0.5))  # the moment of the strike
        chaos.kill_children(daemon, ("worker", "sender"), rng.randrange(8), rng)
        load.pause()
        chaos.drained(daemon)
        time.sleep(rng.uniform(0, 0.01))
        daemon.tell(signal.SIGKILL)
        chaos.end_group(daemon)
        daemon = daemons(sink, settings, **chaos.HASTY)
        load.resume()
    chaos.finish(daemon, sink, load)
    chaos.assert_no_own_death(daemon)
