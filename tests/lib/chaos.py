"""What the crash tests share: how long they are, what they may expect, and how they strike."""

import os
import random
import re
import signal
import time
from pathlib import Path

from lib import daemon as daemon_module
from lib import ledger, load, proc
from lib.wait import PATIENCE_S, until

FULL = bool(os.environ.get("CHAOS"))
SEED = int(os.environ.get("CHAOS_SEED") or 1)
IS_SANITIZED = "sanitize" in os.path.basename(daemon_module.BUILD)
RATE = 5_000 if IS_SANITIZED else 50_000

HOOKED = os.path.join(daemon_module.BUILD, "chaos", "pystatsd-server")
FAST = {"wrapper": load.FIRST_SERVED}
HASTY = {"server": HOOKED, "environment": {"HOOK_HASTY": "1"}, **FAST}
FAULTS = os.path.join(daemon_module.BUILD.removesuffix("-faults") + "-faults", "pystatsd-server")

SETTINGS = {"AGGREGATE_COUNTERS": "no", "RECEIVE_BUFFER": "64M", "SET_EXACT_MAX": "100000"}
LINE = re.compile(rb"[!-~]+ -?[0-9]+(\.[0-9]+)? [0-9]{1,10}\n")
# How many of the kills wait for the end of a second, to fall into a flush.
AT_A_FLUSH = 0.1 if FULL else 0.2
# What a child that died of itself leaves in the log; a killed one died of signal 9.
KILLED = re.compile(r"\(pid \d+\) died: signal 9 ")
KILLED_UNTOLD = re.compile(r" (\d+) more deaths of a \w+ by signal 9 were not told")
OWN_DEATH = re.compile(r"\(pid \d+\) (?:died|ended)(?: unasked)?: (?!signal 9 )[^\n]*")


# One place, or the names of several that a function is given.
FAULT_POINTS = re.compile(r"fault_points?(?:\(| = \{)([^;}]*)")


def pick(short, full):
    """What `make test` takes, or what `make chaos` does."""
    return full if FULL else short


def dice_of(what):
    """A random.Random that is the same again under the same seed."""
    return random.Random(f"{SEED} {what}")


def dice(request):
    """The test's own."""
    return dice_of(request.node.name)


def fault_points():
    """The names of all places of the program where it can be made to die."""
    files = sorted(Path(daemon_module.ROOT, "src").glob("*/*.c"))
    found = " ".join(it for path in files for it in FAULT_POINTS.findall(path.read_text("utf-8")))
    return sorted(set(re.findall(r'"(\w+)"', found)))


def role_of(point):
    """Whose process passes it."""
    return "worker" if point.startswith("worker_") else "sender"


def child(daemon, role, but=0):
    """The pid of a child that has its name already, or 0; but: the one that was killed."""
    return next(
        (
            pid
            for pid, comm in proc.children_now(daemon.pid).items()
            if comm == f"pystatsd-{role}" and pid != but
        ),
        0,
    )


def await_child(daemon, role, but=0):
    def look():
        assert daemon.process.poll() is None, f"the daemon ended: {daemon.log}"
        return child(daemon, role, but)

    return until(look, f"another {role}", step=0.001)


def await_reading(daemon, worker):
    """Until the worker takes from its socket what its predecessor has left there, or it is gone."""
    most = [0]

    def look():
        queued = proc.udp_queued(daemon.port)
        most[0] = max(most[0], queued)
        return queued < most[0] or queued == 0 or not proc.alive(worker)

    until(look, "the worker to read", step=0.001)


def drained(daemon):
    """Waits until the worker has taken all that the kernel had for it."""
    until(lambda: proc.udp_queued(daemon.port) == 0, "the socket to be empty", step=0.001)


def kill(*pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def kill_children(daemon, roles, n, rng):
    """n times: SIGKILL for one of the roles, or all, as soon as its successor works or before it
    does, and often within the flush of one-second intervals."""
    killed = dict.fromkeys(roles, 0)
    for _ in range(n):
        struck = roles if len(roles) > 1 and rng.random() < 0.3 else [rng.choice(roles)]
        for role in struck:
            pid = await_child(daemon, role, killed[role])
            if role == "worker" and rng.random() < 0.75:
                await_reading(daemon, pid)
            killed[role] = pid
        time.sleep(rng.uniform(0, 0.06))
        if rng.random() < AT_A_FLUSH:
            time.sleep(1 - time.time() % 1 + rng.uniform(0, 0.06))
        kill(*(killed[role] for role in struck))


def n_killed(daemon):
    """How many deaths of signal 9 its log tells of, or counts."""
    log = daemon.log
    return len(KILLED.findall(log)) + sum(int(it) for it in KILLED_UNTOLD.findall(log))


def await_backlog(sink, timeout):
    """Until every interval is there that was kept while carbon took none."""

    def is_there():
        stamps = {batch.timestamp for batch in sink.batches}
        return stamps and max(stamps) > time.time() - 2 and len(stamps) > max(stamps) - min(stamps)

    sink.wait(is_there, "every interval", timeout)


def finish(daemon, sink, running):
    """Ends load and daemon; then all is exact at the sink, and the ledger closes over it."""
    sent = running.stop()
    until(lambda: all(child(daemon, role) for role in ("worker", "sender")), "both children")
    assert daemon.stop() == 0, daemon.log
    assert_sent(daemon, sink, sent)
    return sent


def assert_sent(daemon, sink, sent, dropped=0):
    """All of it is at the sink, nothing more, and the ledger of the last daemon says the same."""
    assert_whole(sink, sent)
    assert_ledger(daemon, sent["datagrams"] * load.LINES, dropped)


def assert_whole(sink, sent):
    """All of it is at the sink, and nothing more."""
    store = sink.store
    drops = load.dropped(store)
    assert drops == 0, f"the kernel had to drop {drops:g} datagrams"
    load.assert_exact(store, sent)
    assert_lines(sink)


def assert_lines(sink):
    """Nothing that a sink ever got was anything but lines; the last of a torn one may be cut."""
    for connection in sink.connections:
        whole = connection.data[: connection.data.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            assert LINE.fullmatch(line), line


def assert_ledger(daemon, lines, dropped=0):
    """It says of the lines that were sent what became of them, and that carbon has all of it."""
    said = ledger.read(daemon.log)
    if said is None:
        assert not ledger.REQUIRED, daemon.log
        return
    assert said["received"] == said["applied"] == lines, said
    assert said["emitted"] == said["delivered"] + dropped and said["dropped"] == dropped, said


def assert_no_own_death(daemon):
    """No child has died but of SIGKILL."""
    assert not OWN_DEATH.search(daemon.log), OWN_DEATH.findall(daemon.log)


def end_group(daemon):
    """After the master's SIGKILL: nothing of it is left that could hold port or state."""
    daemon.wait()
    until(lambda: not daemon.group(), "the children to end with the master", PATIENCE_S)
