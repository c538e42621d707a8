"""Every case of tests/conformance/pystatsd.cases through the real daemon.

All cases run side by side, each with a daemon and a carbon of its own, so that the whole file takes
as long as its longest case. The tests then only compare."""

import os
import signal
import tempfile
import threading

import pytest

from lib import cases
from lib.daemon import Daemon
from lib.sink import Sink

pytestmark = pytest.mark.xdist_group("conformance")

CASES = cases.read()
CONFIG = {"FLUSH_INTERVAL": "10000", "FLUSH_ALIGN": "no", "MEMORY_LIMIT": "64M"}
# Longer intervals than this are not waited for: SIGTERM flushes them.
LONGEST_MS = 10_000
# Intervals shorter than this must not share the machine with the start of a hundred daemons.
CROWD_MS = 5_000
STARTING = threading.Semaphore(12)


class Run:
    """One case's way through a daemon. result is a list of batches, or the exception."""

    def __init__(self, case, place):
        self.case = case
        self.place = place
        self.result = None
        self.thread = threading.Thread(target=self._guarded)

    def _guarded(self):
        sink = Sink()
        try:
            self.result = self._run(sink)
        except Exception as error:  # shown by the case's own test
            self.result = error
        finally:
            sink.close()

    def _run(self, sink):
        os.mkdir(self.place)
        target = {"GRAPHITE_HOST": "127.0.0.1", "GRAPHITE_PORT": sink.port}
        daemon = Daemon(self.place, {**CONFIG, **target, **self.case.config})
        try:
            with STARTING:
                daemon.start()
            for number, step in enumerate(self.case.rounds, 1):
                daemon.send(*step.send)
                if self.case.flush_ms <= LONGEST_MS:
                    sink.wait_batches(number, timeout=self.case.flush_ms / 1000 + 20)
            batches = sink.batches
            with STARTING:
                assert daemon.stop(signal.SIGTERM) == 0
            return batches if self.case.flush_ms <= LONGEST_MS else sink.batches
        finally:
            daemon.close()


def run_all(runs):
    for run in runs:
        run.thread.start()
    for run in runs:
        run.thread.join()


@pytest.fixture(scope="module")
def results():
    """{case name: Run} of the whole file."""
    with tempfile.TemporaryDirectory(prefix="pystatsd-test-") as place:
        os.chmod(place, 0o755)
        runs = [Run(case, os.path.join(place, str(i))) for i, case in enumerate(CASES)]
        run_all([run for run in runs if run.case.flush_ms < CROWD_MS])
        run_all([run for run in runs if run.case.flush_ms >= CROWD_MS])
        yield {run.case.name: run for run in runs}


def points(batch, case):
    """Sorted (name, value) of a batch, own statistics aside."""
    prefix = case.config.get("GLOBAL_PREFIX", "")
    own = f"{prefix}.statsd." if prefix else "statsd."
    named = [(name, float(value)) for name, value, _ in batch.lines()]
    return sorted(point for point in named if not point[0].startswith(own))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_case(case, results):
    batches = results[case.name].result
    if isinstance(batches, Exception):
        raise batches
    assert len(batches) >= len(case.rounds)
    for number, step in enumerate(case.rounds):
        got, want = points(batches[number], case), sorted(step.expect)
        assert [name for name, _ in got] == [name for name, _ in want]
        for (name, value), (_, expected) in zip(got, want):
            assert value == pytest.approx(expected, rel=1e-9, abs=0), name


def test_timestamps_increase(results):
    for run in results.values():
        stamps = [batch.timestamp for batch in run.result] if isinstance(run.result, list) else []
        assert stamps == sorted(set(stamps)), run.case.name
