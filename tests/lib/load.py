"""A load of all four types whose totals are known, and their comparison with what a sink has.

Works with the names that a daemon with AGGREGATE_COUNTERS=no and the default prefixes sends."""

import collections
import json
import math
import os
import signal
import subprocess

from lib import daemon as daemon_module
from lib import proc
from lib.wait import PATIENCE_S

PROGRAM = os.path.join(daemon_module.BUILD, "chaos", "load")
# It keeps its rate beside whatever else runs, as the daemon that is to take it has to.
FIRST_SERVED = ["nice", "-n", "-10"] if daemon_module.IS_ROOT else []
# What every datagram comes to, whatever else it holds.
LINES, COUNTED, TIMED, TIMED_SUM = 6, 10, 2, 1001
TIMER_STATISTICS = ("count", "mean", "lower", "upper", "upper_90")


class Load:
    """One run of the program; its end tells what was sent."""

    def __init__(self, port, rate, seed, **options):
        self.sent = None
        argv = [*FIRST_SERVED, PROGRAM, f"--port={port}", f"--rate={rate}", f"--seed={seed}"]
        argv += [f"--{key}={value}" for key, value in options.items()]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )

    def pause(self):
        """On return every datagram that was sent is in the receiver's socket, or was dropped."""
        self.process.send_signal(signal.SIGSTOP)
        proc.wait_stopped(self.process.pid)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self):
        """Ends it, or waits for its end where it has a number to send; returns what it sent."""
        if self.sent is None:
            self.process.terminate()
            self.wait()
        return self.sent

    def wait(self, timeout=PATIENCE_S):
        output = self.process.communicate(timeout=timeout)[0]
        assert self.process.returncode == 0
        self.sent = json.loads(output)
        return self.sent

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def by_name(store):
    """{name: [value]} of {(name, timestamp): value}, by time."""
    series = collections.defaultdict(list)
    for (name, _), value in sorted(store.items(), key=lambda item: item[0][1]):
        series[name].append(value)
    return series


def _differences(series, sent):
    def compare(name, got, expected, close=False):
        same = math.isclose(got, expected, rel_tol=1e-9) if close else got == expected
        if not same:
            yield f"{name}: {got:.17g} instead of {expected}"

    for name, total in sent["counter"].items():
        yield from compare(f"c.{name}", sum(series[f"stats.c.{name}"]), total)
    for name, last in sent["gauge"].items():
        values = series[f"stats.g.{name}"] or [math.nan]
        yield from compare(f"g.{name}", values[-1], last)
        if values != sorted(values):
            yield f"g.{name} went back"
    for name, total in sent["set"].items():
        yield from compare(f"s.{name}", sum(series[f"stats.sets.s.{name}.count"]), total)
    for name, count in sent["timer_count"].items():
        of = {it: series[f"stats.timers.t.{name}.{it}"] or [math.nan] for it in TIMER_STATISTICS}
        total = math.fsum(n * mean for n, mean in zip(of["count"], of["mean"]))
        yield from compare(f"t.{name}.count", sum(of["count"]), count)
        yield from compare(f"t.{name}.sum", total, sent["timer_sum"][name], close=True)
        yield from compare(f"t.{name}.lower", min(of["lower"]), sent["timer_lower"][name])
        yield from compare(f"t.{name}.upper", max(of["upper"]), sent["timer_upper"][name])


def _names(sent):
    for name in sent["counter"]:
        yield f"stats.c.{name}"
    for name in sent["gauge"]:
        yield f"stats.g.{name}"
    for name in sent["set"]:
        yield f"stats.sets.s.{name}.count"
    for name in sent["timer_count"]:
        yield from (f"stats.timers.t.{name}.{it}" for it in TIMER_STATISTICS)


def assert_exact(store, sent):
    """All totals are those that were sent, and no other series is there."""
    series = by_name(store)
    wrong = list(_differences(series, sent))
    strays = {name for name in series if name.startswith("stats.")} - set(_names(sent))
    assert not wrong and not strays, (
        f"of {sent['datagrams']} datagrams {received(store):g} were received, "
        f"{dropped(store):g} dropped by the kernel; {len(wrong)} totals differ, "
        f"{len(strays)} series are strange: {wrong[:8]} {sorted(strays)[:8]}"
    )


def _sum_of(series, head, tail=""):
    return math.fsum(
        value
        for name, values in series.items()
        if name.startswith(head) and name.endswith(tail)
        for value in values
    )


def dropped(store):
    return _sum_of(by_name(store), "statsd.udp_drops")


def received(store):
    """How many datagrams' members of sets are there."""
    return _sum_of(by_name(store), "stats.sets.s.", ".count")


def assert_whole_datagrams(store, n):
    """As many datagrams were received, each wholly and once: for where the kernel dropped some."""
    series = by_name(store)
    timers = [
        n_timed * mean
        for name in series
        if name.startswith("stats.timers.t.") and name.endswith(".count")
        for n_timed, mean in zip(series[name], series[name.removesuffix("count") + "mean"])
    ]
    assert _sum_of(series, "stats.sets.s.", ".count") == n
    assert _sum_of(series, "stats.c.") == COUNTED * n
    assert _sum_of(series, "stats.timers.t.", ".count") == TIMED * n
    assert math.isclose(math.fsum(timers), TIMED_SUM * n, rel_tol=1e-9)
