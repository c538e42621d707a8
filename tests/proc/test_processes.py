"""The daemon's processes as /proc shows them: who they are, what they hold, and how they end."""

import os
import pwd
import signal
import time

import pytest

from lib import proc
from lib.daemon import IS_ROOT
from lib.wait import until

NAMES = {"pystatsd-master", "pystatsd-worker", "pystatsd-sender"}
as_root = pytest.mark.skipif(not IS_ROOT, reason="takes root: the daemon drops what it has")


def pids(daemon):
    """The three processes' pids."""
    return [daemon.pid, daemon.child("worker"), daemon.child("sender")]


def test_three_processes(daemon):
    # A resolver comes and goes.
    until(lambda: sorted(daemon.group().values()) == sorted(NAMES), "three processes")
    for pid in pids(daemon):
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            assert file.read().startswith(proc.stat(pid)[0].encode())


@as_root
def test_nobody_without_privileges(daemon):
    nobody = pwd.getpwnam("nobody")
    for pid in pids(daemon):
        status = proc.status(pid)
        assert status["Uid"].split() == [str(nobody.pw_uid)] * 4
        assert status["Gid"].split() == [str(nobody.pw_gid)] * 4
        assert status["Groups"].split() in ([], [str(nobody.pw_gid)])
        for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[capabilities], 16) == 0, capabilities
        assert status["NoNewPrivs"] == "1"


def kinds(pid):
    """The sorted kinds of what a process holds beyond stdio, and {kind: [link]}."""
    tables = {name: proc.socket_inodes(name) for name in ("udp", "udp6", "tcp", "tcp6")}
    found = {}
    for fd, (link, flags) in proc.descriptors(pid).items():
        if fd <= 2:
            continue
        kind, _, number = link.partition(":")
        if kind == "socket":
            kind = next((t for t, inodes in tables.items() if number[1:-1] in inodes), "socket")
        elif kind == "pipe":
            kind = "pipe-write" if flags & os.O_ACCMODE == os.O_WRONLY else "pipe-read"
        elif kind == "anon_inode":
            kind = number
        elif kind == "/memfd":
            kind = number.split()[0]
        found.setdefault(kind, []).append(link)
    return sorted(kind for kind, links in found.items() for _ in links), found


def held(daemon, name):
    try:
        return kinds(daemon.child(name))
    except PermissionError:
        pytest.skip("takes root: a process that changed its user hides its descriptors")


def test_descriptors(daemon):
    """Each child has what it works with and nothing else; a connection comes and goes."""
    daemon.sink.wait_batches(1)
    worker, worker_links = held(daemon, "worker")
    memory = ["pystatsd-worker"]
    assert worker == ["[eventfd]"] * 3 + ["[signalfd]", "pipe-write", *memory, "udp"]
    sender, sender_links = held(daemon, "sender")
    passing = ("tcp", "socket", "[signalfd]")
    sender = [kind for kind in sender if kind not in passing]
    assert sender == ["[eventfd]", "pipe-read", "pipe-read", "pipe-write", "pystatsd-sender"]
    assert worker_links["pipe-write"][0] in sender_links["pipe-read"]
    assert worker_links["pipe-write"] != sender_links["pipe-write"]


def test_standard_descriptors_are_open(daemon):
    for pid in pids(daemon):
        try:
            assert {0, 1, 2} <= set(proc.descriptors(pid))
        except PermissionError:
            pytest.skip("takes root: a process that changed its user hides its descriptors")


@pytest.mark.parametrize("name", ["worker", "sender"])
def test_killed_child_comes_back(daemon, name):
    daemon.sink.wait_batches(1)
    killed, other = daemon.child(name), daemon.child("sender" if name == "worker" else "worker")
    os.kill(killed, signal.SIGKILL)
    until(lambda: not proc.alive(killed), "the child to die")
    assert daemon.child(name) != killed
    daemon.send("back:1|c")
    daemon.sink.wait_total("stats.back", 1)
    daemon.sink.wait(lambda: (daemon.sink.last(f"statsd.restarts.{name}") or 0) >= 1, "its count")
    assert proc.alive(other), "the other child was replaced, too"
    assert f"{killed}" in daemon.log or f"{name}" in daemon.log


@pytest.mark.parametrize("name", ["worker", "sender"])
def test_stop_while_a_child_waits_for_its_restart(daemons, sink, name):
    """What the kernel or the pipe holds for it by then is delivered all the same."""
    daemon = daemons(sink, {"AGGREGATE_COUNTERS": "no", "LOG_LEVEL": "debug"})
    sink.wait_batches(1)
    for _ in range(3):  # a pause long enough to stop in
        child = daemon.child(name)
        os.kill(child, signal.SIGSEGV)
        until(lambda: f"(pid {child}) died" in daemon.log, "its death to be noticed")
    assert len(daemon.warnings(f"{name} (pid ")) == 1, "more than one a minute"
    daemon.send("kept:1|c")
    assert daemon.stop() == 0
    assert sink.total("stats.kept") == 1, daemon.log


@pytest.mark.parametrize("name", ["worker", "sender"])
def test_child_that_dies_in_the_stop(daemon, name):
    """Its death may be noticed only after the request to stop."""
    daemon.sink.wait_batches(1)
    child = daemon.child(name)
    os.kill(daemon.pid, signal.SIGSTOP)
    proc.wait_stopped(daemon.pid)
    os.kill(child, signal.SIGKILL)
    until(lambda: not proc.alive(child), "the child to die")
    daemon.send("kept:1|c")
    daemon.tell(signal.SIGTERM)
    os.kill(daemon.pid, signal.SIGCONT)
    assert daemon.wait() == 0
    assert daemon.sink.total("stats.kept") == 1, daemon.log
    assert daemon.warnings("starting another for what it left")


def test_killed_again_and_again(daemon):
    """A child that dies young comes back each time, with a pause that stays short."""
    for _ in range(3):
        worker = daemon.child("worker")
        os.kill(worker, signal.SIGKILL)
        until(lambda: not proc.alive(worker), "the worker to die")
    daemon.child("worker")
    daemon.send("back:1|c")
    daemon.sink.wait_total("stats.back", 1)


def test_files_of_the_state(daemons, sink, place):
    """Each child has its own; what keeps other daemons out is held by all."""
    state = os.path.join(place, "state")
    spool = os.path.join(place, "spool")
    gauges = os.path.join(place, "lib", "gauges")
    daemon = daemons(sink, {"STATE_DIR": state, "SPOOL_DIR": spool, "GAUGES_FILE": gauges})
    paths = {}
    for name in "worker", "sender":
        links = [link for kind in held(daemon, name)[1].values() for link in kind]
        paths[name] = {link for link in links if link.startswith(place)}
    assert paths["worker"] >= {f"{state}/worker-1.arena", f"{state}/quarantine"}
    assert not paths["worker"] & {f"{state}/sender-1.arena", spool, os.path.dirname(gauges), state}
    assert paths["sender"] >= {f"{state}/sender-1.arena", spool, os.path.dirname(gauges)}
    assert not paths["sender"] & {f"{state}/worker-1.arena", f"{state}/quarantine", state}
    owner = os.stat(daemon.place).st_uid  # who runs the tests
    user = pwd.getpwnam("nobody").pw_uid if IS_ROOT else owner
    assert {os.stat(path).st_uid for path in (state, f"{state}/worker-1.arena")} == {owner}
    assert {os.stat(path).st_uid for path in (spool, os.path.dirname(gauges))} == {user}
    modes = {state: 0o711, spool: 0o700, os.path.dirname(gauges): 0o700}
    assert {path: os.stat(path).st_mode & 0o7777 for path in modes} == modes


def test_children_end_with_the_master(daemon):
    daemon.sink.wait_batches(1)
    everyone = pids(daemon)
    os.kill(daemon.pid, signal.SIGKILL)
    daemon.wait()
    proc.wait_gone(everyone)


def test_state_is_free_when_the_master_was_killed(daemons, sink, place):
    """Nobody finishes anything then: another daemon goes on with it, and can at once."""
    settings = {"STATE_DIR": os.path.join(place, "state"), "AGGREGATE_COUNTERS": "no"}
    for _ in range(3):
        daemon = daemons(sink, settings)
        everyone = pids(daemon)
        os.kill(everyone[1], signal.SIGSTOP)  # such a one would not heed SIGTERM
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait()
    daemon = daemons(sink, settings)
    proc.wait_gone(everyone)
    daemon.send("next:1|c")
    sink.wait_total("stats.next", 1)


@pytest.mark.parametrize("name", ["worker", "sender"])
def test_hung_child_is_replaced(daemon, name):
    """What came meanwhile waits in the kernel, or in the pipe, for the next one."""
    daemon.sink.wait_batches(1)
    other = daemon.child("sender" if name == "worker" else "worker")
    hung = daemon.child(name)
    os.kill(hung, signal.SIGSTOP)
    proc.wait_stopped(hung)
    began = time.monotonic()
    daemon.send("hung:1|c")
    until(lambda: daemon.warnings(f"{name} (pid {hung}) has made no progress"), "the stall")
    assert time.monotonic() - began > 3
    until(lambda: not proc.alive(hung), "the hung one's end")
    assert daemon.child(name) != hung
    assert time.monotonic() - began < 8 + 4  # what a busy machine adds
    assert daemon.warnings(f"{name} (pid {hung}) has stalled and does not abort: killing it")
    assert daemon.warnings(f"{name} (pid {hung}) died: signal 9")
    daemon.send("hung:2|c")
    daemon.sink.wait_total("stats.hung", 3)
    assert daemon.sink.total("stats.hung") == 3
    assert proc.alive(other), "the other child was replaced, too"


def test_stopped_group_goes_on(daemon):
    """As by ^Z: nobody is blamed for a time in which the master stood still as well."""
    everyone = pids(daemon)
    daemon.sink.wait_batches(1)
    os.killpg(daemon.pid, signal.SIGSTOP)
    for pid in everyone:
        proc.wait_stopped(pid)
    time.sleep(6)
    os.killpg(daemon.pid, signal.SIGCONT)
    daemon.send("later:1|c")
    daemon.sink.wait_total("stats.later", 1)
    assert pids(daemon) == everyone
    assert not daemon.warnings("no progress")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_asked_to_stop(daemon, number):
    for _ in range(500):
        daemon.send("last:1|c")
    assert daemon.stop(number) == 0
    assert daemon.sink.total("stats.last") == 500


@pytest.mark.parametrize("attempt", range(5))
def test_whole_group_is_asked_to_stop(daemon, attempt):
    """As systemd does it by default, all processes get the signal at once."""
    for _ in range(500):
        daemon.send("last:1|c")
    os.killpg(daemon.pid, signal.SIGTERM)
    assert daemon.wait() == 0
    until(lambda: not daemon.group(), "the group to end")
    assert daemon.sink.total("stats.last") == 500, attempt
    assert not daemon.warnings("ended"), "an orderly end is no news"


def test_asked_to_stop_at_once(daemons, sink):
    """READY=1 was the promise: from then on nothing is lost, however young the children are."""
    for _ in range(12):
        daemon = daemons(sink, {"AGGREGATE_COUNTERS": "no"})
        daemon.send("last:1|c")
        os.killpg(daemon.pid, signal.SIGTERM)
        assert daemon.wait() == 0
        assert sink.total("stats.last") == 1
        assert not daemon.warnings()
        sink.connections.clear()


def test_asked_twice(daemon):
    daemon.sink.wait_batches(1)
    daemon.send("last:1|c")
    daemon.tell(signal.SIGTERM)
    daemon.tell(signal.SIGTERM)
    assert daemon.wait() == 0
    assert daemon.sink.total("stats.last") == 1


def test_others_cannot_end_an_interval(daemon):
    """A worker that flushed early would send its interval's timestamp twice, and carbon keeps the last."""
    worker = daemon.child("worker")
    daemon.send("told:10|c")
    os.kill(worker, signal.SIGTERM)
    os.kill(worker, signal.SIGINT)
    daemon.send("told:3|c")
    daemon.sink.wait_total("stats.told", 13)
    assert daemon.child("worker") == worker


def test_queued_while_the_worker_is_stopped(daemon):
    worker = daemon.child("worker")
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    for _ in range(1000):
        daemon.send("queued:1|c")
    os.kill(worker, signal.SIGCONT)
    daemon.sink.wait_total("stats.queued", 1000)
    assert daemon.sink.total("stats.queued") == 1000


def test_stop_reads_what_the_kernel_has_queued(daemon):
    worker = daemon.child("worker")
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    for _ in range(1000):
        daemon.send("queued:1|c")
    daemon.tell(signal.SIGTERM)
    os.kill(worker, signal.SIGCONT)
    assert daemon.wait() == 0
    assert daemon.sink.total("stats.queued") == 1000


def test_stop_with_carbon_away_takes_at_most_its_time(daemons, sinks):
    sink = sinks(listening=False)
    daemon = daemons(sink)
    daemon.send("lost:1|c")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 15
