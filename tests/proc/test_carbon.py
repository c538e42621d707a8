"""From a datagram to a real carbon-cache's whisper file: values and timestamps to the digit."""

import time

import pytest

from lib import carbon as carbon_module
from lib.wait import until

pytestmark = pytest.mark.skipif(
    bool(carbon_module.missing()), reason=carbon_module.missing() or "carbon is there"
)


@pytest.fixture
def carbon(place):
    made = carbon_module.Carbon(place)
    yield made
    made.close()


@pytest.fixture
def feed(daemons, carbon):
    """A daemon that delivers to carbon every second; it ends before carbon does."""
    return daemons(carbon, {"SEND_TIMEOUT": "1", "CONNECT_TIMEOUT": "1"})


def early_in_a_second():
    """Waits until what is sent now belongs to the second that has just begun; returns its end."""
    return until(lambda: int(time.time()) + 1 if 0.2 < time.time() % 1 < 0.5 else 0, "a second")


def has_no_gap(carbon, first):
    """Every second from first on has the daemon's own count of it."""
    stamps = sorted(carbon.series("statsd.numStats"))
    return stamps != [] and stamps[0] <= first and stamps == list(range(stamps[0], stamps[-1] + 1))


def send_marks(daemon, n):
    """Sends counter i, gauge i and timer i in n different seconds; returns {timestamp: i}."""
    marks = {}
    while len(marks) < n:
        end, i = early_in_a_second(), len(marks) + 1
        if end not in marks:
            daemon.send(f"c:{i}.25|c\ng:{i}.5|g\nt:{i}|ms\nt:{i + 10}|ms")
            marks[end] = i
    return marks


def stored(carbon, name, last):
    """The series of a name, once carbon has written its last mark: it writes file by file."""
    until(lambda: last in carbon.series(name), f"{name} in whisper")
    return carbon.series(name)


def assert_marks(carbon, marks):
    """Carbon has the marks at their own timestamps, and no other."""
    last = max(marks)
    # What had to wait follows what is new.
    until(lambda: set(marks) <= set(carbon.series("stats.timers.t.count")),
          lambda: f"every interval of {marks}, not {carbon.series('stats.timers.t.count')}")
    until(lambda: has_no_gap(carbon, min(marks)), "no gap")
    assert stored(carbon, "stats.c", last) == {end: i + 0.25 for end, i in marks.items()}
    gauge = stored(carbon, "stats.g", last)
    assert {end: gauge.get(end) for end in marks} == {end: i + 0.5 for end, i in marks.items()}
    for name, of in {"lower": 0, "upper": 10, "mean": 5, "upper_90": 0}.items():
        timer = stored(carbon, f"stats.timers.t.{name}", last)
        assert timer == {end: i + of for end, i in marks.items()}
    assert stored(carbon, "stats.timers.t.count", last) == {end: 2 for end in marks}
    stored(carbon, "statsd.numStats", last)


def test_values_and_timestamps(carbon, feed):
    carbon.start()
    early_in_a_second()  # the first interval is shorter, and its rates differ
    until(lambda: carbon.series("statsd.numStats"), "the first flush")
    assert_marks(carbon, send_marks(feed, 3))


def test_carbon_hangs(carbon, feed):
    carbon.start()
    until(lambda: carbon.series("statsd.numStats"), "the first flush")
    carbon.pause()
    marks = send_marks(feed, 3)
    carbon.resume()
    assert_marks(carbon, marks)


def test_carbon_starts_late(carbon, feed):
    until(lambda: feed.warnings(str(carbon.port)), "the daemon to notice")
    marks = send_marks(feed, 3)
    carbon.start()
    assert_marks(carbon, marks)
    assert len(feed.warnings(str(carbon.port))) == 1
