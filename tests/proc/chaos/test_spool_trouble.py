"""A spool that takes nothing: live data goes on, memory keeps the rest, and the ledger closes."""

import contextlib
import os
import subprocess
import time

import pytest

from lib import chaos, strace
from lib.daemon import IS_ROOT
from lib.wait import until

SECONDS = chaos.pick(2.5, 60)
RATE = 1_000


@contextlib.contextmanager
def full(spool, daemon):
    """ENOSPC"""
    filler = os.path.join(spool, "filler")
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(fd, bytes(4096))
    os.close(fd)
    yield
    os.unlink(filler)


@contextlib.contextmanager
def read_only(spool, daemon):
    """EROFS"""
    # Its directory is open in the sender alone, so nothing is open for writing.
    until(lambda: mount("-o", "remount,ro", spool), "the spool to be read-only")
    yield
    assert mount("-o", "remount,rw", spool)


def failing(call, error):
    @contextlib.contextmanager
    def begin(spool, daemon):
        attached = strace.Attached(daemon.child("sender"), call, error)
        yield
        attached.close()

    return begin


TROUBLES = {"ENOSPC": full, "EROFS": read_only}
INJECTED = {"EMFILE": failing("openat", "EMFILE"), "EIO": failing("fdatasync", "EIO")}
if not strace.missing():
    TROUBLES.update(INJECTED)


def files(spool):
    return [it for it in os.listdir(spool) if it.endswith(".flush")]


def await_empty(spool, sink):
    """Carbon takes what was kept, at a pace that leaves room for live data."""
    chaos.await_backlog(sink, 20 + SECONDS)
    until(lambda: not files(spool), "the spool to be empty")


def mount(*args):
    return subprocess.run(["mount", *args], capture_output=True, check=False).returncode == 0


@pytest.fixture
def spool(users):
    """A file system of its own, small enough to be filled."""
    path = os.path.join(users, "spool")
    os.mkdir(path)
    if not IS_ROOT or not mount("-t", "tmpfs", "-o", "size=1m,mode=777", "pystatsd-test", path):
        pytest.skip("nothing can be mounted here")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


@pytest.mark.parametrize("name", TROUBLES)
def test_spool_trouble(spool, sinks, daemons, loads, name):
    sink = sinks(listening=False)
    settings = {**chaos.SETTINGS, "SPOOL_DIR": spool, "CONNECT_TIMEOUT": "1"}
    daemon = daemons(sink, settings)
    load = loads(daemon, rate=RATE)
    with TROUBLES[name](spool, daemon):
        time.sleep(SECONDS)  # of trouble with carbon and spool
        assert daemon.warnings("SPOOL_DIR") or daemon.warnings("spool"), "nothing was said of it"
        assert len(daemon.warnings()) <= 3 + SECONDS / 10, "too much was said of it"
        sink.listen()
        sink.wait_batches(2, 40)
        live = int(time.time())
        sink.wait(lambda: any(it.timestamp > live for it in sink.batches), "live data", 10)
    await_empty(spool, sink)
    chaos.finish(daemon, sink, load)
    assert not files(spool)


def test_spool_is_used(spool, sinks, daemons, loads):
    """Without trouble what carbon does not take is there, and no longer when it has it."""
    sink = sinks(listening=False)
    settings = {**chaos.SETTINGS, "SPOOL_DIR": spool, "CONNECT_TIMEOUT": "1"}
    daemon = daemons(sink, settings)
    load = loads(daemon, rate=100)
    until(lambda: files(spool), "a file")
    sink.listen()
    sink.wait_batches(2, 20)
    await_empty(spool, sink)
    chaos.finish(daemon, sink, load)


def test_spool_outlives_the_daemon(spool, sinks, daemons, loads):
    """Without STATE_DIR it is all that does: what is left at the end goes there."""
    sink = sinks(listening=False)
    settings = {**chaos.SETTINGS, "SPOOL_DIR": spool, "CONNECT_TIMEOUT": "1"}
    daemon = daemons(sink, settings)
    load = loads(daemon, rate=RATE)
    time.sleep(0.5)  # of the load
    sent = load.stop()
    assert daemon.stop() == 0, daemon.log
    sink.listen()
    last = daemons(sink, settings)
    until(lambda: not files(spool), "the spool to be empty")
    assert last.stop() == 0, last.log
    chaos.assert_whole(sink, sent)


@pytest.mark.parametrize("with_spool", [True, False], ids=["spool", "memory"])
def test_stop_delivers_what_was_kept(spool, sinks, daemons, loads, with_spool):
    """There are ten seconds for it, and carbon is there."""
    sink = sinks(listening=False)
    settings = {**chaos.SETTINGS, "SPOOL_DIR": spool if with_spool else None}
    daemon = daemons(sink, settings)
    load = loads(daemon, rate=RATE)
    time.sleep(3.2)  # with carbon away
    sink.listen()
    sink.wait_batches(1, 20)
    chaos.finish(daemon, sink, load)
    assert not files(spool)
