"""In the background: -D, --stop, --restart and the pidfile; and what a service manager is told."""

import os
import re
import signal
import socket
import subprocess
import threading
import time

import pytest

from lib import proc
from lib.daemon import EX_CONFIG, run, write_config
from lib.wait import until


class Background:
    """Daemons started with -D, one pidfile, one port."""

    def __init__(self, place, sink):
        self.pidfile = os.path.join(place, "pystatsd.pid")
        self.port = proc.free_udp_port()
        self.groups = set()
        self.settings = {
            "LISTEN_ADDRESS": "127.0.0.1",
            "FLUSH_INTERVAL": "1000",
            "AGGREGATE_COUNTERS": "no",
            "GRAPHITE_HOST": sink.host,
            "GRAPHITE_PORT": sink.port,
        }

    def run(self, *args, config="/dev/null", **settings):
        """The result of one call of the program, which must not wait for what it left behind."""
        merged = {"LOCAL_PYSTATD_PORT": self.port, **self.settings, **settings}
        result = run(merged, [*args, "--pidfile", self.pidfile], config=config)
        pid = self.pid()
        stat = proc.stat(pid) if pid else None
        if stat and stat[0] == "pystatsd-master":
            self.groups.add(stat[3])
        return result

    def start(self):
        result = self.run("-D")
        assert result.returncode == 0, result.stderr
        return self.pid()

    def pid(self):
        """What the pidfile says, 0 where there is none."""
        try:
            with open(self.pidfile, encoding="ascii") as file:
                return int(file.read() or "0")
        except FileNotFoundError:
            return 0

    def write_pidfile(self, pid):
        with open(self.pidfile, "w", encoding="ascii") as file:
            file.write(f"{pid}\n")

    def close(self):
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pgid in self.groups:
                for pid in proc.group(pgid):
                    try:
                        os.kill(pid, number)
                    except ProcessLookupError:
                        pass
            try:
                until(lambda: not any(proc.group(pgid) for pgid in self.groups), "the end")
                return
            except AssertionError:
                if number == signal.SIGKILL:
                    raise


@pytest.fixture
def background(place, sink):
    made = Background(place, sink)
    yield made
    made.close()


@pytest.fixture
def sleeper():
    """A process of ours that no --stop may touch."""
    process = subprocess.Popen(["sleep", "120"])
    yield process
    assert process.poll() is None, "another program's process was ended"
    process.kill()
    process.wait()


def dead_pid():
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def send(port, *datagrams):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for datagram in datagrams:
            client.sendto(datagram.encode("ascii"), ("127.0.0.1", port))


def test_returns_when_ready(background, sink):
    result = background.run("-D")
    assert proc.udp_port_bound(background.port), "the port is not bound yet"
    assert result.returncode == 0, result.stderr
    assert proc.stat(background.pid())[0] == "pystatsd-master"
    send(background.port, "first:1|c")
    sink.wait_total("stats.first", 1)
    assert proc.stat(background.pid())[2] != os.getpid(), "it is still our child"
    assert os.getsid(background.pid()) != os.getsid(0)


def test_logs_to_syslog(background):
    result = background.run("-D")
    assert result.returncode == 0
    if os.access("/dev/log", os.W_OK):
        assert result.stderr == ""
    else:
        assert re.fullmatch(r".* nobody takes datagrams at /dev/log .*\n", result.stderr)


def test_stderr_is_let_go_of_with_a_warning(background):
    result = background.run("-D", LOG="stderr")
    assert result.returncode == 0
    warnings = [line for line in result.stderr.splitlines() if "[WARN" in line and "LOG=" in line]
    assert len(warnings) == 1 and result.stderr.endswith(f"{warnings[0]}\n"), result.stderr


def test_stop(background, sink):
    pid = background.start()
    send(background.port, "last:1|c")
    result = background.run("--stop")
    assert result.returncode == 0, result.stderr
    assert not proc.alive(pid), "--stop returned before the daemon's end"
    assert not os.path.exists(background.pidfile)
    assert not proc.udp_port_bound(background.port)
    assert sink.total("stats.last") == 1, "the last flush is missing"


def test_stop_with_a_broken_configuration(background, place):
    """The pidfile is known from the flag; a restart stays strict."""
    pid = background.start()
    broken = write_config(place, "FLUSH_INTERVAL=soon\n")
    result = run({}, ["--restart", "--pidfile", background.pidfile], config=broken)
    assert result.returncode == EX_CONFIG and proc.alive(pid)
    assert run({}, ["--stop"], config=broken).returncode == EX_CONFIG
    result = run({}, ["--stop", "--pidfile", background.pidfile], config=broken)
    assert result.returncode == 0, result.stderr
    assert "warning" in result.stderr and f"{broken}:1" in result.stderr
    assert not proc.alive(pid) and not os.path.exists(background.pidfile)


def test_stop_without_pidfile(background):
    result = background.run("--stop")
    assert result.returncode == 0
    assert background.pidfile in result.stderr and "does not exist" in result.stderr


def test_port_taken(background):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        background.port = holder.getsockname()[1]
        result = background.run("-D")
    assert result.returncode == EX_CONFIG
    assert str(background.port) in result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert not os.path.exists(background.pidfile)


def test_stale_pidfile_of_the_dead(background):
    background.write_pidfile(dead_pid())
    assert background.run("--stop").returncode == 0
    background.write_pidfile(dead_pid())
    pid = background.start()
    assert proc.stat(pid)[0] == "pystatsd-master"


def test_stale_pidfile_of_another(background, sleeper):
    background.write_pidfile(sleeper.pid)
    background.run("--stop")
    assert sleeper.poll() is None
    background.write_pidfile(sleeper.pid)
    pid = background.start()
    assert pid != sleeper.pid
    assert background.run("--stop").returncode == 0


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "1", "99999999999999999999"])
def test_pidfile_with_nonsense(background, text):
    with open(background.pidfile, "w", encoding="ascii") as file:
        file.write(text)
    background.run("--stop")
    with open(background.pidfile, "w", encoding="ascii") as file:
        file.write(text)
    assert background.run("-D").returncode == 0


def test_plain_kill_leaves_no_pid_behind(background):
    """nobody may not remove a file from root's directory, but its pid is soon another's."""
    pid = background.start()
    os.kill(pid, signal.SIGTERM)
    until(lambda: not proc.alive(pid), "the daemon's end")
    assert background.pid() == 0
    assert proc.stat(background.start())[0] == "pystatsd-master"
    assert background.run("--stop").returncode == 0


def test_restart(background, sink):
    first = background.start()
    result = background.run("--restart")
    assert result.returncode == 0, result.stderr
    assert background.pid() not in (0, first)
    assert not proc.alive(first)
    send(background.port, "after:1|c")
    sink.wait_total("stats.after", 1)


def test_restart_of_nothing_starts(background):
    assert background.run("--restart").returncode == 0
    assert proc.stat(background.pid())[0] == "pystatsd-master"


def test_second_daemon_refuses(background, sink):
    first = background.start()
    result = background.run("-D", LOCAL_PYSTATD_PORT=proc.free_udp_port())
    assert result.returncode not in (0, None)
    assert len(result.stderr.splitlines()) == 1 and background.pidfile in result.stderr
    assert background.pid() == first and proc.alive(first)
    send(background.port, "still:1|c")
    sink.wait_total("stats.still", 1)


def test_pidfile_directory_is_missing(background):
    background.pidfile += ".d/pystatsd.pid"
    result = background.run("-D")
    assert result.returncode == EX_CONFIG and background.pidfile in result.stderr
    assert not proc.udp_port_bound(background.port)


def configured(daemons, place, sink):
    """A daemon whose destination stands in a file, and the file's path."""
    path = write_config(place, f"GRAPHITE_PORT={sink.port}\n")
    settings = {"GRAPHITE_PORT": None, "AGGREGATE_COUNTERS": "no"}
    return daemons(sink, settings, config=path), path


def reload(daemon):
    """SIGHUP, and what the service manager is told in return."""
    before = len(daemon.notify.poll())
    daemon.tell(signal.SIGHUP)
    until(lambda: "READY=1" in daemon.notify.poll()[before:], "READY=1 after a reload")
    told = daemon.notify.poll()[before:]
    assert told.index("RELOADING=1") < told.index("READY=1")


def test_reload_changes_the_destination(daemons, place, sinks, sink):
    other = sinks()
    daemon, _ = configured(daemons, place, sink)
    children = daemon.child("worker"), daemon.child("sender")
    sink.wait_batches(1)
    write_config(place, f"GRAPHITE_PORT={other.port}\n")
    reload(daemon)
    daemon.send("moved:1|c")
    other.wait_total("stats.moved", 1)
    assert (daemon.child("worker"), daemon.child("sender")) == children, "a process was replaced"


def test_reload_follows_a_link(background, place, sinks, sink):
    """A deployment that switches a link switches the configuration."""
    other = sinks()
    for name, carbon in ("old", sink), ("new", other):
        with open(os.path.join(place, name), "w", encoding="ascii") as file:
            file.write(f"GRAPHITE_PORT={carbon.port}\n")
    link = os.path.join(place, "link")
    os.symlink("old", link)
    del background.settings["GRAPHITE_PORT"]
    assert background.run("-D", config=link).returncode == 0
    sink.wait_batches(1)
    os.unlink(link)
    os.symlink("new", link)
    os.kill(background.pid(), signal.SIGHUP)
    other.wait_batches(1)


def test_reload_leaves_a_dead_destination_at_once(daemons, place, sinks):
    """The log names the new one from then on."""
    dead, other = sinks(listening=False), sinks()
    daemon, _ = configured(daemons, place, dead)
    daemon.send("moved:1|c")
    until(lambda: daemon.warnings(str(dead.port)), "the daemon to notice")
    write_config(place, f"GRAPHITE_PORT={other.port}\n")
    reload(daemon)
    other.wait_total("stats.moved", 1)
    log = daemon.log
    other.refuse()
    until(lambda: daemon.warnings(str(other.port)), "a warning that names the new one")
    assert f"sending to 127.0.0.1:{other.port} from now on" in log
    assert len(daemon.warnings(str(dead.port))) == 1


def test_reload_of_a_bad_file_changes_nothing(daemons, place, sink):
    daemon, path = configured(daemons, place, sink)
    write_config(place, "# bad\nFLUSH_INTERVAL=soon\nGRAPHITE_PORT=1\n")
    reload(daemon)
    assert f"{path}:2" in daemon.log
    daemon.send("same:1|c")
    sink.wait_total("stats.same", 1)


def test_reload_says_what_takes_a_restart(daemons, place, sink):
    daemon, _ = configured(daemons, place, sink)
    write_config(place, f"GRAPHITE_PORT={sink.port}\nMAX_NAME=100\n")
    reload(daemon)
    until(lambda: "MAX_NAME" in daemon.log, "a word on MAX_NAME")


def send_slowly(daemon, n, over_s):
    for sent in range(n):
        daemon.send("many:1|c")
        if sent % 50 == 0:
            time.sleep(over_s * 50 / n)


def test_hundred_reloads_under_load_lose_nothing(daemons, place, sink):
    daemon, _ = configured(daemons, place, sink)
    load = threading.Thread(target=send_slowly, args=(daemon, 5000, 3))
    load.start()
    for turn in range(100):
        # Every third is wrong and changes nothing.
        write_config(place, f"GRAPHITE_PORT={'soon' if turn % 3 == 2 else sink.port}\n")
        reload(daemon)
    load.join()
    sink.wait_total("stats.many", 5000)
    assert daemon.stop() == 0
    assert sink.total("stats.many") == 5000
    assert daemon.notify.count("RELOADING=1") == 100
    assert len(daemon.warnings("the configuration stays as it was")) == 33
    assert not daemon.warnings("died")


def test_watchdog_hears_of_progress(daemons, sink, monkeypatch):
    """Not while a child stands still, and again when it has been replaced."""
    monkeypatch.setenv("WATCHDOG_USEC", "2000000")
    daemon = daemons(sink)
    alive = "WATCHDOG=1"
    began = time.monotonic()
    until(lambda: daemon.notify.count(alive) >= 3, "three signs of life")
    assert time.monotonic() - began < 2 * 3
    worker = daemon.child("worker")
    os.kill(worker, signal.SIGSTOP)
    proc.wait_stopped(worker)
    until(lambda: daemon.warnings("has made no progress"), "the stall")
    heard = daemon.notify.count(alive)

    def has_ended():
        n = daemon.notify.count(alive)  # before it is looked, or it may be the successor's
        is_over = not proc.alive(worker)
        assert is_over or n == heard, "it was told that all is well"
        return is_over

    until(has_ended, "the hung one's end")
    until(lambda: daemon.notify.count(alive) >= heard + 2, "signs of life again")
    assert daemon.stop() == 0


def test_nobody_watches(daemon):
    daemon.sink.wait_batches(2)
    assert daemon.notify.count("WATCHDOG=1") == 0


def test_service_manager_is_told(daemon):
    until(lambda: any(it.startswith("STATUS=") for it in daemon.notify.poll()), "a status")
    assert daemon.notify.count("STOPPING=1") == 0
    assert daemon.stop() == 0
    assert daemon.notify.count("STOPPING=1") == 1


def test_manager_that_does_not_read(daemons, sink):
    """It holds up nobody, and hears what matters once it reads again."""
    daemon = daemons(sink)
    sent = 0
    daemon.notify.poll()
    for number in range(40):  # two messages each; nobody reads from here on
        daemon.tell(signal.SIGHUP)
        until(lambda: daemon.log.count("reading the configuration again") > number, "a reload")
    old = daemon.child("worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: daemon.child("worker") != old, "another worker")
    sink.wait_batches(len(sink.batches) + 2)

    def told():
        nonlocal sent
        told = daemon.notify.poll()[sent:]
        return told and "READY=1" in told[-2:] and any("RELOADING=1" in it for it in told)

    until(told, "the end of the last reload")
    sent = len(daemon.notify.poll())
    assert daemon.stop() == 0
    assert "STOPPING=1" in daemon.notify.poll()[sent:]
