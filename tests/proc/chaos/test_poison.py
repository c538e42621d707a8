"""A datagram that kills whoever reads it: two workers at most, itself alone, and it is kept."""

import os
import signal
import socket
import time

import pytest

from lib import chaos, ledger, proc
from lib.wait import until

POISON = "boom:13|c"
FAULTS = {"server": chaos.FAULTS, "environment": {"PYSTATSD_POISON": POISON}}
RATE = 10_000


def hexadecimal(datagram):
    return datagram.encode("ascii").hex()


def kept(state):
    """What stands in the file of what was set aside, without blanks and in small letters."""
    with open(os.path.join(state, "quarantine"), encoding="ascii") as file:
        return "".join(file.read().split()).lower()


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize(
    "datagram", [POISON, f"sane:1|c\n{POISON}\nsane:1|c"], ids=["alone", "among-others"]
)
def test_poison(daemons, sink, loads, state, datagram, n_threads):
    settings = {**chaos.SETTINGS, "STATE_DIR": state, "THREADS": n_threads}
    daemon = daemons(sink, settings, **FAULTS)
    load = loads(daemon, rate=RATE, senders=4)
    time.sleep(0.3)  # of the load
    daemon.send(datagram)
    until(lambda: hexadecimal(datagram) in kept(state), "it to be set aside")
    time.sleep(chaos.pick(0.3, 3))  # of the load
    sent = load.stop()
    until(lambda: chaos.child(daemon, "worker"), "the worker")
    assert daemon.stop() == 0, daemon.log
    deaths = chaos.OWN_DEATH.findall(daemon.log)
    assert 1 <= len(deaths) <= 2, deaths
    assert sink.total("stats.boom") == 0 and sink.total("stats.sane") <= 1
    assert sink.total("statsd.quarantined") == 1
    drop_series(sink, "stats.sane")
    chaos.assert_whole(sink, sent)
    said = ledger.read(daemon.log)
    assert said is None or said["quarantined"] == 1


def test_killed_while_it_is_set_aside(daemons, sink, loads, state):
    """It is not tried a third time by who comes after that, and kept at least once."""
    environment = {**FAULTS["environment"], "PYSTATSD_FAULTS": "worker_quarantine:1"}
    settings = {**chaos.SETTINGS, "STATE_DIR": state}
    daemon = daemons(sink, settings, server=chaos.FAULTS, environment=environment)
    load = loads(daemon, rate=RATE)
    time.sleep(0.3)  # of the load
    daemon.send(POISON)
    until(lambda: hexadecimal(POISON) in kept(state), "it to be set aside")
    sent = load.stop()
    until(lambda: chaos.child(daemon, "worker"), "the worker")
    assert daemon.stop() == 0, daemon.log
    assert len(chaos.OWN_DEATH.findall(daemon.log)) == 2
    assert chaos.n_killed(daemon) == 1
    assert sink.total("statsd.quarantined") == 1
    chaos.assert_whole(sink, sent)


def test_crosses_a_change_of_master(daemons, sink, loads, state):
    """The next daemon knows of no death before its own: its first worker dies of it, too."""
    settings = {**chaos.SETTINGS, "STATE_DIR": state}
    settings["LOCAL_PYSTATD_PORT"] = str(proc.free_udp_port())
    first = daemons(sink, settings, **FAULTS)
    load = loads(first, rate=RATE)
    time.sleep(0.3)  # of the load
    load.pause()
    chaos.drained(first)
    first.send(POISON)
    until(lambda: chaos.OWN_DEATH.search(first.log), "the first death", step=0.001)
    first.tell(signal.SIGKILL)
    chaos.end_group(first)
    second = daemons(sink, settings, **FAULTS)
    load.resume()
    until(lambda: hexadecimal(POISON) in kept(state), "it to be set aside")
    sent = load.stop()
    assert second.stop() == 0, second.log
    # Where the first was killed late, its second worker has died of it, and set it aside.
    n_first, n_second = (len(chaos.OWN_DEATH.findall(it.log)) for it in (first, second))
    assert n_first >= 1 and 2 <= n_first + n_second <= 4, second.log
    assert sink.total("stats.boom") == 0
    assert sink.total("statsd.quarantined") == 1
    chaos.assert_whole(sink, sent)


def test_waits_in_the_socket_at_the_stop(daemons, sink, loads, state):
    """Two that drain it die of it, and a third does what they were asked to."""
    daemon = daemons(sink, {**chaos.SETTINGS, "STATE_DIR": state}, **FAULTS)
    load = loads(daemon, rate=RATE)
    time.sleep(0.3)  # of the load
    load.pause()
    chaos.drained(daemon)
    worker = daemon.child("worker")
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    daemon.send(POISON)
    load.resume()
    time.sleep(0.2)  # of the load
    sent = load.stop()
    daemon.tell(signal.SIGTERM)
    until(lambda: "] master: stopping" in daemon.log, "the stop to begin")
    os.kill(worker, signal.SIGCONT)
    assert daemon.wait() == 0, daemon.log
    assert len(chaos.OWN_DEATH.findall(daemon.log)) == 2, daemon.log
    assert hexadecimal(POISON) in kept(state)
    assert sink.total("stats.boom") == 0
    assert sink.total("statsd.quarantined") == 1
    chaos.assert_whole(sink, sent)


def drop_series(sink, name):
    """What stands before the poison in its datagram may have counted, once."""
    for connection in sink.connections:
        connection.data = b"".join(
            line
            for line in connection.data.splitlines(keepends=True)
            if not line.startswith(name.encode("ascii") + b" ")
        )


@pytest.mark.full
def test_many_poisons(daemons, sink, loads, state):
    """Each costs two workers and is told apart from the one before."""
    daemon = daemons(sink, {**chaos.SETTINGS, "STATE_DIR": state}, **FAULTS)
    load = loads(daemon, rate=1_000)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for i in range(4):
            datagram = f"{POISON}\nnumber{i}:1|c"
            other.sendto(datagram.encode("ascii"), ("127.0.0.1", daemon.port))
            until(lambda it=datagram: hexadecimal(it) in kept(state), "it to be set aside")
    sent = load.stop()
    until(lambda: chaos.child(daemon, "worker"), "the worker")
    assert daemon.stop() == 0, daemon.log
    assert len(chaos.OWN_DEATH.findall(daemon.log)) <= 8
    assert sink.total("statsd.quarantined") == 4
    chaos.assert_whole(sink, sent)
