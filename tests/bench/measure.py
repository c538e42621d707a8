"""One run of one load: the receiver on one CPU, load and sink on the other.

Every process that is started here is ended here, by its own id.
"""

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import proc  # noqa: E402
from lib.daemon import Notify  # noqa: E402
from lib.wait import until  # noqa: E402

import loads  # noqa: E402

OWN = "statsd."
END_S = 40  # from SIGTERM to the end: a drained queue, a last flush and its delivery
LOAD_S = 60
QUEUE_S = 20
WATCH_S = 0.5
PIPE_LEN = 1 << 20  # what a child prints is read when it has ended
MOST_OF = {"flush_ms", "memory_used", "last_success_age"}  # own statistics that do not add up
EX_CONFIG = 78
WARNING = re.compile(r"(\d+) lines were refused for want of room .*, most of them under (\S+)")

CPUS = sorted(os.sched_getaffinity(0))
RECEIVER_CPU, LOAD_CPU = CPUS[0], CPUS[-1]
# Of a receiver of several threads, which has the load's only where there is no third.
RECEIVER_CPUS = set(CPUS[:-1]) if len(CPUS) > 2 else set(CPUS)


class NotBuilt(Exception):
    """The daemon does not know a setting of the load yet."""


def pinned(cpus):
    """For preexec_fn: the process runs there and nowhere else."""
    return lambda: os.sched_setaffinity(0, cpus)


class Child:
    """A process that prints JSON lines, pinned."""

    def __init__(self, argv, cpus, stdout=subprocess.PIPE, **kwargs):
        self.usage = None
        self.process = subprocess.Popen([str(it) for it in argv], stdin=subprocess.DEVNULL,
                                        stdout=stdout, preexec_fn=pinned(cpus),
                                        pipesize=PIPE_LEN, **kwargs)
        self.pid = self.process.pid

    def line(self):
        """The next line it prints. Fails where it has ended."""
        return json.loads(self.process.stdout.readline())

    def alive(self):
        """Reaps it once it has ended: usage is then its own and that of all it has reaped."""
        if self.usage is not None:
            return False
        pid, status, usage = os.wait4(self.pid, os.WNOHANG)
        if pid == 0:
            return True
        self.usage = usage
        self.process.returncode = os.waitstatus_to_exitcode(status)
        return False

    def kill(self, number):
        """Popen's own would reap it, and lose its usage."""
        if self.alive():
            os.kill(self.pid, number)

    def end(self, patience_s=END_S, number=signal.SIGTERM):
        """Asks it to end and waits. Returns its CPU seconds, user and system."""
        deadline = time.monotonic() + patience_s
        self.kill(number)
        while self.alive():
            if time.monotonic() > deadline:
                self.kill(signal.SIGKILL)
                deadline += patience_s
            time.sleep(0.01)
        return self.usage.ru_utime + self.usage.ru_stime

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end(2)
        if self.process.stdout:
            self.process.stdout.close()


class Memory:
    """The most memory that a daemon's processes were seen to have, in bytes."""

    def __init__(self, pid):
        self.pid = pid
        self.peaks = collections.Counter()  # VmHWM by name of the process
        self.pss = 0
        self.last_s = 0

    def look(self, wait_s=WATCH_S):
        """Reads /proc again where the last time was a while ago."""
        if time.monotonic() < self.last_s + wait_s:
            return
        self.last_s = time.monotonic()
        pss = 0
        for pid, name in [(self.pid, "pystatsd-master"), *proc.children(self.pid).items()]:
            with contextlib.suppress(OSError, KeyError):
                self.peaks[name] = max(self.peaks[name], size(proc.status(pid)["VmHWM"]))
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
                pss += size(re.search(r"^Pss:\s*(.*)", text, re.M).group(1))
        self.pss = max(self.pss, pss)


def size(text):
    """Bytes of "123 kB"."""
    return int(text.split()[0]) * 1024


def udp_state(port):
    """(bytes that wait, datagrams that were dropped) at the IPv4 sockets of a UDP port."""
    rows = [line.split() for line in Path("/proc/net/udp").read_text().splitlines()[1:]]
    rows = [row for row in rows if int(row[1].rpartition(":")[2], 16) == port]
    return (sum(int(row[4].rpartition(":")[2], 16) for row in rows),
            sum(int(row[12]) for row in rows))


def wait_until_read(port):
    """Until the receiver has taken all that was sent to the port."""
    until(lambda: udp_state(port)[0] == 0, "an empty queue", QUEUE_S, 0.002)


def send(build, stage, port, watch=lambda: None):
    """Runs one stage of a load to its end, and returns what it says."""
    argv = [build / "bench/load", f"--port={port}", *stage.arguments()]
    with Child(argv, {LOAD_CPU}) as child:
        deadline = time.monotonic() + LOAD_S
        while child.alive():
            watch()
            time.sleep(0.02)
            if time.monotonic() > deadline:
                raise RuntimeError(f"the load took more than {LOAD_S} s")
        if child.process.returncode:
            raise RuntimeError("the load failed")
        return child.line()


def send_all(build, load, port, watch=lambda: None):
    """All stages; returns what each says, when the receiver has read all of it."""
    sent = [send(build, stage, port, watch) for stage in load.stages]
    sent_s = time.monotonic()
    wait_until_read(port)
    sent[-1]["seconds_behind"] = time.monotonic() - sent_s
    return sent


def total(sent, what):
    return sum(it[what] for it in sent)


def run_floor(build, load):
    """What the load costs who only throws it away: {"ns", "drops"}."""
    with Child([build / "bench/floor"], {RECEIVER_CPU}) as floor:
        sent = send_all(build, load, floor.line()["port"])
        cpu_s = floor.end()
        seen = floor.line()
    return {"ns": cpu_s * 1e9 / total(sent, "samples"), "drops": seen["drops"]}


def run_client(build, load):
    """What the client library costs a program, and the yardstick: {"ns", "floor_ns", …}."""
    with Child([build / "bench/client", load.stages[0].samples], {LOAD_CPU}) as client:
        return client.line()


def argv_of(build, settings, *flags):
    argv = [build / "pystatsd-server", *flags, "--config", "/dev/null"]
    for key, value in settings.items():
        argv += ["--set", f"{key}={value}"]
    return argv


def check_built(build, settings):
    done = subprocess.run([str(it) for it in argv_of(build, settings, "--check-config")],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode == EX_CONFIG and "not built" in done.stderr:
        raise NotBuilt
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


@contextlib.contextmanager
def sink_of(build, load):
    """(the sink, its port)"""
    sums = [f"--sum={prefix}" for prefix in loads.sums(load)]
    argv = [build / "bench/sink", f"--keep={OWN}", f"--keep={loads.LINE_PREFIX}timers.m.one.",
            *sums]
    with Child(argv, {LOAD_CPU}) as sink:
        yield sink, sink.line()["port"]


def connections(sink):
    """What the sink has taken, once it is ended: the last of those with the same timestamp."""
    sink.end()
    ended = [json.loads(line) for line in sink.process.stdout]
    return list({it["timestamp"]: it for it in ended}.values())


def wait_for_tick(load):
    """Until an interval has just begun, and the daemon is in time for it."""
    while time.time() * 1000 % load.flush_ms > load.flush_ms / 20:
        time.sleep(0.005)


@contextlib.contextmanager
def daemon_of(build, load, sink_port):
    """(the daemon, once it is ready, and its port). The file daemon.log has what it logs."""
    port = proc.free_udp_port()
    settings = {"LISTEN_ADDRESS": "127.0.0.1", "LOCAL_PYSTATD_PORT": port,
                "GRAPHITE_HOST": "127.0.0.1", "GRAPHITE_PORT": sink_port,
                "AGGREGATE_COUNTERS": "no", "FLUSH_INTERVAL": load.flush_ms,
                "LOG_LEVEL": "warning", **load.settings}
    check_built(build, settings)
    notify = Notify()
    cpus = {RECEIVER_CPU} if load.cpus == 1 else RECEIVER_CPUS
    with tempfile.TemporaryFile() as log:
        with Child(argv_of(build, settings), cpus, stdout=subprocess.DEVNULL, stderr=log,
                   env={**os.environ, "NOTIFY_SOCKET": notify.address}) as daemon:
            daemon.log = log
            try:
                until(lambda: notify.count("READY=1") or not daemon.alive(), "the daemon")
                if not notify.count("READY=1"):
                    raise RuntimeError("the daemon did not start")
                yield daemon, port
            except (AssertionError, RuntimeError):
                print("\n".join(f"    {it}" for it in logged(daemon)[-5:]), file=sys.stderr)
                raise
            finally:
                notify.close()


def logged(daemon):
    """The lines that the daemon has logged so far."""
    daemon.log.seek(0)
    return daemon.log.read().decode("utf-8", "replace").splitlines()


def own_statistics(flushes):
    """What the daemon said of itself, over all flushes."""
    own = collections.Counter()
    for name, value in ((name, value) for it in flushes for name, value in it["kept"].items()):
        if name.startswith(OWN):
            name = name[len(OWN):]
            most = name in MOST_OF or name.startswith("metrics_active")
            own[name] = max(own[name], value) if most else own[name] + value
    return own


def refusals(flushes):
    """How many samples each flush says were refused, where any were."""
    refused = [int(sum(value for name, value in it["kept"].items()
                       if name.startswith(f"{OWN}refused."))) for it in flushes]
    return [n for n in refused if n]


def delivery(flushes):
    """(ms from the end of an interval to its delivery, ms of a connection), the longest of each.
    The last flush goes out before its interval has ended."""
    late = [it["closed_ms"] - it["timestamp"] * 1000 for it in flushes]
    return (max([it for it in late if it > 0], default=None),
            max([it["closed_ms"] - it["opened_ms"] for it in flushes], default=None))


def run_daemon(build, load):
    """One run: all that is known of it, as a flat dictionary, "kept" (names to values) besides."""
    with sink_of(build, load) as (sink, sink_port):
        if load.from_tick:
            wait_for_tick(load)
        with daemon_of(build, load, sink_port) as (daemon, port):
            memory = Memory(daemon.pid)
            sent = send_all(build, load, port, memory.look)
            started_s = time.monotonic()
            memory.look(wait_s=0)
            daemon.kill(signal.SIGTERM)
            while daemon.alive() and time.monotonic() - started_s < END_S:
                memory.look(wait_s=0.05)
                time.sleep(0.005)
            cpu_s = daemon.end()
            end_ms = (time.monotonic() - started_s) * 1000
            log = logged(daemon)
        flushes = connections(sink)
    own = own_statistics(flushes)
    late_ms, connection_ms = delivery(flushes)
    samples = total(sent, "samples")
    return {
        "ns": cpu_s * 1e9 / samples,
        "samples": samples,
        "load_s": total(sent, "seconds"),
        "load_ns": total(sent, "cpu_seconds") * 1e9 / samples,
        "lost": samples - int(own["lines_received"]),
        "per_s": own["lines_received"] / (total(sent, "seconds") + sent[-1]["seconds_behind"]),
        "drops": int(own["udp_drops"]),
        "bad": int(own["bad_lines_seen"]),
        "refused": sum(refusals(flushes)),
        "refusals": refusals(flushes),
        "warnings": [(int(it.group(1)), it.group(2)) for it in map(WARNING.search, log) if it],
        "log": [it for it in log if not WARNING.search(it)
                and "[DEBUG]" not in it and "[INFO]" not in it],
        "queue_dropped": int(own["queue_dropped"]),
        "sums_missing": missing(load, sent, flushes),
        "sums": {prefix: sum(it["sums"][prefix] for it in flushes) for prefix in loads.sums(load)},
        "lines": {prefix: sum(it["counts"][prefix] for it in flushes)
                  for prefix in loads.sums(load)},
        "pss": memory.pss,
        "peak": sum(memory.peaks.values()),
        "worker_peak": memory.peaks["pystatsd-worker"],
        "memory_used": own["memory_used"],
        "flush_ms": own["flush_ms"],
        "delivered_ms": late_ms,
        "connection_ms": connection_ms,
        "end_ms": end_ms,
        "kept": {name: value for it in flushes for name, value in it["kept"].items()},
    }


def missing(load, sent, flushes):
    """By prefix, what the sums of its counters at the sink lack. Refused names lack too."""
    wanted = collections.Counter()
    for stage, it in zip(load.stages, sent):
        if "c" in stage.types:
            wanted[stage.counters()] += it["counter_sum"]
    return {prefix: value - sum(it["sums"][prefix] for it in flushes)
            for prefix, value in wanted.items()}
