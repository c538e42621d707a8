"""The shipped settings for carbon: what a real one makes of the names that the daemon sends."""

import os
import re

import pytest

from lib import carbon as carbon_module
from lib.daemon import ROOT, run
from lib.wait import until

pytestmark = pytest.mark.skipif(
    bool(carbon_module.missing()), reason=carbon_module.missing() or "carbon is there"
)

STEPS = [(10, 6 * 3600), (60, 6 * 86400), (600, 1800 * 86400)]
# What a carbon without our files makes of a series.
FOREIGN = "[foreign]\npattern = .*\nretentions = 7s:1h\n"
FOREIGN_AGGREGATION = "[foreign]\npattern = .*\nxFilesFactor = 0.7\naggregationMethod = last\n"

METHODS = {
    "stats.c": "average",
    "stats.c.count": "average",
    "stats.some.upper": "average",
    "stats.gauges.g": "last",
    "stats.sets.s.count": "max",
    "stats.timers.t.lower": "min",
    "stats.timers.t.upper": "max",
    "stats.timers.t.upper_50": "max",
    "stats.timers.t.upper_99_9": "max",
    "stats.timers.t.lower_top10": "max",
    "stats.timers.t.mean": "average",
    "stats.timers.t.count": "sum",
    "statsd.numStats": "last",
    "statsd.metrics_active.counter": "last",
    "statsd.restarts.worker": "last",
    "statsd.memory_used": "last",
    "statsd.queue_lines": "last",
    "statsd.spool_lines": "last",
    "statsd.last_success_age": "last",
    "statsd.flush_ms": "max",
    "statsd.packets_received": "sum",
    "statsd.bad_lines_seen": "sum",
    "statsd.bad.no_value": "sum",
    "statsd.refused.metrics": "sum",
    "statsd.lines_sent": "sum",
    "statsd.spool_dropped": "sum",
    "statsd.send_failures": "sum",
}


def shipped(name):
    with open(os.path.join(ROOT, "etc/graphite", name), encoding="ascii") as file:
        return file.read()


@pytest.fixture
def carbon(place):
    made = carbon_module.Carbon(place)
    yield made
    made.close()


def await_files(carbon, names):
    for name in names:
        until(lambda: os.path.exists(carbon.file(name)), f"the whisper file of {name}")


def info(carbon, name):
    """(aggregation method, xFilesFactor, [(seconds a point, seconds in all)]) of a series' file."""
    import whisper

    found = whisper.info(carbon.file(name))
    steps = [(it["secondsPerPoint"], it["retention"]) for it in found["archives"]]
    return found["aggregationMethod"], round(found["xFilesFactor"], 3), steps


def send_all(daemons, carbon, settings=None):
    everything = {"PCT": "50,99.9,-10", "GAUGES_PREFIX": "stats.gauges", "MAX_METRICS": "6",
                  "SPOOL_DIR": os.path.join(carbon.place, os.pardir, "spool")}
    daemon = daemons(carbon, {**everything, **(settings or {})})
    daemon.send("c:1|c\nc.count:1|c\nsome.upper:1|c\ng:1|g\nt:1|ms\ns:1|s\nrefused:1|c\nbad")
    return daemon


def test_real_files(carbon, daemons):
    carbon.configure(shipped("storage-schemas.conf") + FOREIGN,
                     shipped("storage-aggregation.conf") + FOREIGN_AGGREGATION)
    carbon.start()
    send_all(daemons, carbon)
    await_files(carbon, METHODS)
    for name, method in METHODS.items():
        assert info(carbon, name) == (method, 0, STEPS), name


def test_own_statistics_under_the_name_of_etsys(carbon, daemons):
    """With SELF_PREFIX=stats.statsd they are no counters."""
    carbon.configure(shipped("storage-schemas.conf"), shipped("storage-aggregation.conf"))
    carbon.start()
    send_all(daemons, carbon, {"SELF_PREFIX": "stats.statsd"})
    own = {f"stats.{name}": method for name, method in METHODS.items() if name.startswith("statsd.")}
    await_files(carbon, own)
    for name, method in own.items():
        assert info(carbon, name) == (method, 0, STEPS), name


def test_nothing_that_is_sent_is_left_out(carbon, sink, daemons):
    """Every name of a flush is in the table above, or of a kind that is."""
    send_all(daemons, carbon, {"GRAPHITE_PORT": str(sink.port)})
    sink.wait_total("stats.c", 0.001)
    kinds = [re.sub(r"(bad|refused|metrics_active|restarts)\.\w+$", r"\1.", it) for it in METHODS]
    state = re.compile(r"_active\.|restarts\.|_lines$|_used$|_age$|numStats|flush_ms")
    counts = re.compile(r"received|seen|drop|sent|emitted|applied|filtered|truncated|overruns|"
                        r"failures|reconnects|bad\.|refused\.")
    for name in {name for name, _ in sink.store}:
        assert (name in METHODS or re.sub(r"\w+$", "", name) in kinds
                or state.search(name) or counts.search(name)), name


def test_names_of_others_stay_theirs(carbon):
    """Only our own prefixes are matched."""
    schemas, aggregation = shipped("storage-schemas.conf"), shipped("storage-aggregation.conf")
    patterns = re.findall(r"^pattern = (.*)$", schemas + aggregation, re.M)
    assert len(patterns) == 11
    for name in ("carbon.agents.x", "servers.stats.x", "statsite.x", "stats_counts.x", "mystats.x"):
        assert not any(re.search(pattern, name) for pattern in patterns), name


def test_the_finest_step_is_the_default_interval():
    interval = re.search(r'^FLUSH_INTERVAL="(\d+)"', run(args=["--check-config"]).stdout, re.M)
    assert int(interval.group(1)) == 1000 * STEPS[0][0]
