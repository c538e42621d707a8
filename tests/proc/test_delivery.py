"""Carbon in every sort of trouble: nothing is missing, nothing is torn, the log stays readable."""

import re
import socket
import time

import pytest

from lib import sink as faults
from lib.asking import status
from lib.proc import have_ipv6
from lib.wait import until

SETTINGS = {"AGGREGATE_COUNTERS": "no", "SEND_TIMEOUT": "1", "CONNECT_TIMEOUT": "1"}
LINE = re.compile(rb"[!-~]+ -?[0-9]+(\.[0-9]+)? [0-9]{1,10}\n")


def fat_names(n=1000):
    """So many counters that a batch is larger than all socket buffers on its way."""
    return [f"fat.{i:04d}." + "x" * 200 for i in range(n)]


def send_fat(daemon, names):
    for i in range(0, len(names), 100):
        daemon.send("\n".join(f"{name}:1|c" for name in names[i : i + 100]))


def is_gapless(stamps):
    return bool(stamps) and sorted(stamps) == list(range(min(stamps), max(stamps) + 1))


def assert_whole(sink, first=None):
    """Every flush from the first on gets into the store, and all copies of it are the same bytes."""
    sink.wait(lambda: is_gapless({batch.timestamp for batch in sink.batches}), "every interval")
    copies = {}
    for connection in sink.connections:
        if connection.lines():
            copies.setdefault(connection.timestamp, []).append(connection)
    acknowledged = {batch.timestamp for batch in sink.batches}
    stamps = sorted(acknowledged)
    assert first is None or stamps[0] <= first
    for timestamp, tries in copies.items():
        if timestamp not in acknowledged:
            assert timestamp > stamps[-1]
            continue
        whole = next(it.data for it in tries if it.acknowledged)
        assert all(whole.startswith(it.data) for it in tries), "a repeat differs"
        assert all(LINE.fullmatch(line) for line in whole.splitlines(keepends=True))


def ride_out(daemon, sink, fault, seconds=3.2):
    """Sends under the fault for some flushes, lifts it, and returns how many samples were sent."""
    sent, stop = 0, time.monotonic() + seconds
    sink.fault = fault
    while time.monotonic() < stop:
        daemon.send("c:1|c\ng:7|g\nt:5|ms")
        sent += 1
        time.sleep(0.05)  # the pace of the traffic, not a wait
    sink.fault = None
    return sent


@pytest.mark.parametrize(
    "fault",
    [
        faults.reset_after(0),
        faults.reset_after(1),
        faults.reset_after(100),
        faults.stall,
        faults.withhold_fin,
        faults.talk_back,
    ],
    ids=["reset-at-0", "reset-at-1", "reset-at-100", "stall", "no-fin", "rubbish"],
)
def test_fault_costs_nothing(daemons, sink, fault):
    daemon = daemons(sink, SETTINGS)
    began = int(time.time())
    sent = ride_out(daemon, sink, fault)
    sink.wait_total("stats.c", sent)
    assert sink.total("stats.c") == sent
    assert_whole(sink, began + 2)
    assert sum(value for _, value in sink.series("stats.timers.t.count")) == sent


@pytest.mark.parametrize(
    "fault",
    [faults.reset_after(50_000), faults.close_first, faults.read_slowly],
    ids=["reset-at-50000", "closes-first", "reads-slowly"],
)
def test_fault_within_a_large_batch(daemons, sinks, fault):
    sink = sinks(small_buffers=True)
    daemon = daemons(sink, {**SETTINGS, "FLUSH_ALIGN": "no"})
    sink.fault = fault
    names = fat_names()
    send_fat(daemon, names)
    sink.wait(lambda: any(len(it.data) > 1000 for it in sink.connections), "data")
    if fault is not faults.read_slowly:
        sink.wait(lambda: len(sink.connections) >= 2, "another try")
        assert not sink.batches, "a broken connection was taken for an acknowledgement"
    sink.fault = None
    sink.wait_total(f"stats.{names[-1]}", 1)
    totals = {name: 0 for name in names}
    for (name, _), value in sink.store.items():
        if name.startswith("stats.fat."):
            totals[name.removeprefix("stats.")] += value
    assert set(totals.values()) == {1}
    assert_whole(sink)


def test_carbon_is_not_there_yet(daemons, sinks):
    sink = sinks(listening=False)
    daemon = daemons(sink, SETTINGS)
    began, started = int(time.time()), len(daemon.log.splitlines())
    sent = ride_out(daemon, sink, None, seconds=4.5)
    assert len(daemon.warnings(str(sink.port))) == 1, "one warning says that carbon is away"
    assert len(daemon.log.splitlines()) <= started + 1, "there is more to read every time"
    sink.listen()
    listening = time.time()
    sink.wait_total("stats.c", sent)
    assert sink.total("stats.c") == sent
    assert_whole(sink, began + 2)
    order = [it.timestamp for it in sink.batches]
    assert order[0] >= int(listening) - 1, "what is live does not go first"
    late = [stamp for stamp in order if stamp < int(listening) - 1]
    assert len(late) >= 2 and late == sorted(late), "not the oldest first of what had to wait"
    assert sink.total("statsd.send_failures") >= 2


def test_carbon_goes_and_comes_back(daemons, sink):
    daemon = daemons(sink, SETTINGS)
    daemon.send("c:1|c")
    sink.wait_total("stats.c", 1)
    sink.refuse()
    sent = 1 + ride_out(daemon, sink, None, seconds=2.5)
    sink.listen()
    sink.wait_total("stats.c", sent)
    assert sink.total("stats.c") == sent
    assert_whole(sink)
    assert len(daemon.warnings(str(sink.port))) == 1


def test_a_healthy_carbon_is_no_news(daemon):
    daemon.send("c:1|c")
    daemon.sink.wait_batches(3)
    assert daemon.warnings(str(daemon.sink.port)) == []
    assert len(daemon.sink.connections) - len(daemon.sink.batches) <= 1
    for batch in daemon.sink.batches:
        assert len({timestamp for _, _, timestamp in batch.lines()}) == 1
    assert daemon.sink.last("statsd.lines_sent") > 0


def test_back_off(daemons, sink):
    """Tries come 1, 2, … seconds apart, 10 % of jitter either way."""
    sink.fault = faults.reset_after(0)
    daemons(sink, SETTINGS)
    sink.wait(lambda: len(sink.connections) >= 3, "three tries")
    tries = [connection.began for connection in sink.connections]
    assert 0.85 <= tries[1] - tries[0] <= 1.8
    assert 1.7 <= tries[2] - tries[1] <= 3.0
    sink.fault = None  # lets the daemon end without waiting


@pytest.mark.skipif(not have_ipv6(), reason="this machine has no IPv6")
def test_ipv6(daemons, sinks):
    sink = sinks(host="::1")
    daemons(sink).send("c:10|c")
    sink.wait(lambda: sink.last("stats.c"), "the counter")


def addresses(name):
    try:
        return {it[4][0] for it in socket.getaddrinfo(name, 1, type=socket.SOCK_STREAM)}
    except socket.gaierror:
        return set()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_name_with_two_addresses(daemons, sinks, host):
    """localhost may be both; carbon listens on one of them."""
    if host not in addresses("localhost") or host == "::1" and not have_ipv6():
        pytest.skip(f"localhost is not {host} on this machine")
    sink = sinks(host=host)
    daemons(sink, {"GRAPHITE_HOST": "localhost"}).send("c:10|c")
    sink.wait(lambda: sink.last("stats.c"), "the counter")


def test_name_that_does_not_resolve(daemons, sink):
    daemon = daemons(sink, {"GRAPHITE_HOST": "nosuch.invalid"})
    warnings = until(lambda: daemon.warnings("nosuch.invalid"), "a warning")
    assert len(warnings) == 1


def test_queue_is_bounded(daemons, sinks, place):
    """With carbon away for longer than QUEUE_MEMORY lasts, the oldest flushes go, whole. One warning
    says so, and the status."""
    sink, admin = sinks(listening=False), f"{place}/admin.sock"
    daemon = daemons(sink, {**SETTINGS, "QUEUE_MEMORY": "1M", "ADMIN_SOCKET": admin})
    names = fat_names()
    stop = time.monotonic() + 9
    while time.monotonic() < stop:
        send_fat(daemon, names)
        time.sleep(0.25)  # the pace of the traffic
    told = re.compile(r"lines that carbon had not taken were dropped \d+ s ago, [1-9]\d* in all")
    until(lambda: any(told.fullmatch(it) for it in status(admin)["problem"]), "the status to say so")
    sink.listen()
    sink.wait(lambda: sink.total("statsd.queue_dropped") > 0, "queue_dropped")
    sink.wait(lambda: len(sink.batches) >= 6, "the flushes that were kept")
    sink.wait(lambda: is_gapless([batch.timestamp for batch in sink.batches]), "all but the oldest")
    for batch in sorted(sink.batches, key=lambda it: it.timestamp)[:3]:
        assert set(f"stats.{name}" for name in names) <= set(batch.values()), "a flush was cut"
    assert len(daemon.log) < 20_000
    (warning,) = daemon.warnings("QUEUE_MEMORY")
    assert re.search(r"sender: QUEUE_MEMORY is full: the oldest flush, of \d+ lines, is dropped$", warning)


def test_spool_is_bounded(daemons, sinks, place):
    """So is the spool: one warning with the limit that it was."""
    sink = sinks(listening=False)
    daemon = daemons(sink, {**SETTINGS, "SPOOL_DIR": f"{place}/spool", "SPOOL_MAX_BYTES": "1M"})
    names = fat_names()

    def is_told():
        send_fat(daemon, names)
        return daemon.warnings("SPOOL_MAX_BYTES")

    until(is_told, "the spool to be full", step=0.25)
    told = r"the oldest flushes in SPOOL_DIR, of \d+ lines, are dropped: SPOOL_MAX_BYTES is reached$"
    (warning,) = daemon.warnings("SPOOL_MAX_BYTES")
    assert re.search(told, warning)
    sink.listen()
    sink.wait(lambda: sink.total("statsd.spool_dropped") > 0, "spool_dropped")
    assert not daemon.warnings("QUEUE_MEMORY")


def test_flush_that_is_too_large(daemons, sink):
    """Its own statistics say how much of it is missing, and so does one warning."""
    daemon = daemons(sink, {**SETTINGS, "QUEUE_MEMORY": "1M", "FLUSH_INTERVAL": "4000"})
    sink.wait_batches(1)
    names = fat_names(8000)
    send_fat(daemon, names)

    def short():
        return [it for it in sink.batches if it.values().get("statsd.queue_dropped")]

    sink.wait(short, "queue_dropped")
    got = short()[0].values()
    n_sent = sum(name.startswith("stats.fat.") for name in got)
    assert n_sent > 1000 and n_sent + got["statsd.queue_dropped"] == got["statsd.numStats"]
    assert len(daemon.warnings("are left out: they have no room in QUEUE_MEMORY")) == 1


def test_outage_at_debug_level(daemons, sinks):
    """Not a line for every try, neither before the end nor in the last ten seconds."""
    sink = sinks(listening=False)
    daemon = daemons(sink, {**SETTINGS, "LOG_LEVEL": "debug"})
    daemon.send("c:1|c")
    until(lambda: daemon.warnings(str(sink.port)), "the daemon to notice")
    assert daemon.stop() == 0
    told = [it for it in daemon.log.splitlines() if "Connection refused" in it]
    assert len(told) == 1, told
