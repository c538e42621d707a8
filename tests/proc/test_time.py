"""When flushes are, what timestamps they carry, and by what a rate divides."""

import time

import pytest


def test_aligned_timestamps(daemons, sink):
    daemons(sink, {"FLUSH_INTERVAL": "2000"})
    began = time.time()
    stamps = [batch.timestamp for batch in sink.wait_batches(3)]
    assert stamps[0] <= began + 4
    assert all(stamp % 2 == 0 for stamp in stamps)
    assert stamps == list(range(stamps[0], stamps[0] + 2 * len(stamps), 2))


def test_no_second_is_missing(daemons, sink):
    daemons(sink)
    stamps = [batch.timestamp for batch in sink.wait_batches(5)]
    assert stamps == list(range(stamps[0], stamps[0] + len(stamps)))


@pytest.mark.parametrize("align", ["yes", "no"])
def test_flush_leaves_at_its_timestamp(daemons, sink, align):
    daemons(sink, {"FLUSH_ALIGN": align})
    for batch in sink.wait_batches(3)[:3]:
        assert -1 <= batch.began - batch.timestamp < 2


def test_unaligned_intervals_are_whole(daemons, sink):
    began = time.time()
    daemons(sink, {"FLUSH_INTERVAL": "2500", "FLUSH_ALIGN": "no"}).send("c:5|c")
    first, second = sink.wait_batches(2)[:2]
    assert first.values()["stats.c"] == 2
    assert began + 1.5 <= first.timestamp <= time.time()
    assert 2 <= second.timestamp - first.timestamp <= 3


def test_first_short_interval(daemons, sink):
    """Aligned flushes make it shorter than the others; its rates divide by what it was."""
    before = time.time()
    daemon = daemons(sink, {"FLUSH_INTERVAL": "60000"})
    ready = time.time()
    daemon.send("c:60|c")
    assert daemon.stop() == 0
    batch = sink.batches[0]
    assert batch.timestamp % 60 == 0
    longest, shortest = batch.timestamp - before, batch.timestamp - ready
    if shortest < 1:
        pytest.skip("the minute ended within the test")
    assert 60 / longest - 1e-6 <= batch.values()["stats.c"] <= 60 / (shortest - 0.5)


def test_last_flush_has_its_interval_s_timestamp(daemons, sink):
    """SIGTERM flushes what is open as if the interval had ended: a successor goes on with it."""
    before = time.time()
    daemon = daemons(sink, {"FLUSH_INTERVAL": "60000", "FLUSH_ALIGN": "no"})
    ready = time.time()
    daemon.send("c:60|c")
    assert daemon.stop() == 0
    assert len(sink.batches) == 1
    batch = sink.batches[0]
    assert before + 59 <= batch.timestamp <= ready + 61
    assert batch.values()["stats.c"] == 1


def test_sums(daemons, sink):
    daemon = daemons(sink, {"FLUSH_INTERVAL": "3000", "AGGREGATE_COUNTERS": "no"})
    daemon.send("c:7|c")
    sink.wait_total("stats.c", 7)
    assert sink.total("stats.c") == 7
