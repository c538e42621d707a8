"""Memory that is not there when it is asked for, once: a clean error, a restart, or lines that are
refused and counted."""

import os
import re
import time

import pytest

from lib import chaos, ledger
from lib.load import LINES
from lib.wait import until

RATE = 1_000
REFUSED = "hooks: no memory"
# So many are asked for until every kind of them was, flushes and adoptions included.
MOST = 160
PARTS = 8
NUMBERS = [range(first, MOST + 1, PARTS) for first in range(1, PARTS + 1)]


def settings(kept, users):
    return {
        **chaos.SETTINGS,
        "STATE_DIR": os.path.join(kept, "state"),
        "SPOOL_DIR": os.path.join(users, "spool"),
        "GAUGES_FILE": os.path.join(users, "gauges"),
    }


def refuse_once(daemons, sink, loads, kept, users, number):
    """Returns whether so many were asked for."""
    environment = {"HOOK_NO_MEMORY": str(number)}
    hooked = {"server": chaos.HOOKED, "environment": environment}
    daemon = daemons(sink, settings(kept, users), start=False, **hooked)
    try:
        daemon.start()
    except AssertionError:
        assert daemon.process.poll() is not None, "it hangs at its start"
        assert daemon.process.returncode > 0
        assert re.search(r"\[(ERROR|WARNING)\]|pystatsd-server: ", daemon.log), daemon.log
        return True
    load = loads(daemon, rate=RATE)
    for role in ("worker", "sender"):
        chaos.kill(chaos.await_child(daemon, role))
    n_batches = len(sink.batches)
    sink.wait(lambda: len(sink.batches) > n_batches, "a flush")
    time.sleep(0.2)  # of the load
    until(lambda: chaos.child(daemon, "worker") and chaos.child(daemon, "sender"), "both children")
    assert_right_or_counted(daemon, sink, load.stop())
    return REFUSED in daemon.log


def assert_right_or_counted(daemon, sink, sent):
    assert daemon.stop() == 0, daemon.log
    said = ledger.read(daemon.log)
    if said is None or said["refused"] == said["dropped"] == 0:
        chaos.assert_sent(daemon, sink, sent)
        return
    assert said["received"] == said["applied"] + said["refused"]
    assert said["received"] == sent["datagrams"] * LINES
    chaos.assert_lines(sink)


@pytest.mark.parametrize("numbers", chaos.pick([[7], [25]], NUMBERS), ids=lambda it: str(it[0]))
def test_no_memory(daemons, sinks, loads, kept, users, numbers):
    for number in numbers:
        mine = os.path.join(kept, f"number{number}"), os.path.join(users, f"number{number}")
        for path in mine:
            os.mkdir(path)
            os.chmod(path, 0o777)
        if not refuse_once(daemons, sinks(), loads, *mine, number):
            break
