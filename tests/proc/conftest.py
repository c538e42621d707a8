"""Fixtures of the process tests: daemons and sinks that end with their test, and leave nothing."""

import os
import signal
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir)))

from lib import daemon as daemon_module  # noqa: E402
from lib.sink import Sink  # noqa: E402

# A shell's background job is started with these ignored, and so would all be that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)


@pytest.fixture(scope="session", autouse=True)
def server():
    """Without the program under test nothing here can say anything."""
    if not os.access(daemon_module.SERVER, os.X_OK):
        pytest.fail(f"no {daemon_module.SERVER}: run make first", pytrace=False)


@pytest.fixture
def place():
    """A directory that nobody may enter as well (pytest's own are for their owner alone)."""
    with tempfile.TemporaryDirectory(prefix="pystatsd-test-") as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture
def sinks():
    """A factory of fake carbons."""
    made = []

    def make(**kwargs):
        made.append(Sink(**kwargs))
        return made[-1]

    yield make
    for sink in made:
        sink.close()


@pytest.fixture
def sink(sinks):
    return sinks()


@pytest.fixture
def daemons(place, sinks):  # sinks: they end after the daemons that deliver to them
    """A factory of daemons that deliver to the given sink (None: nowhere)."""
    made = []

    def make(sink, settings=None, start=True, **kwargs):
        home = os.path.join(place, str(len(made)))
        os.mkdir(home)
        target = {"TRANSPORT": "none"}
        if sink:
            target = {"GRAPHITE_HOST": sink.host, "GRAPHITE_PORT": str(sink.port)}
        made.append(daemon_module.Daemon(home, {**target, **(settings or {})}, **kwargs))
        return made[-1].start() if start else made[-1]

    yield make
    for daemon in made:
        daemon.close()


@pytest.fixture
def daemon(daemons, sink):
    """A daemon with one-second flushes and plain sums, ready, and its healthy sink as .sink."""
    made = daemons(sink, {"AGGREGATE_COUNTERS": "no"})
    made.sink = sink
    return made
