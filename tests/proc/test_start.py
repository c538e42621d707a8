"""Starts that must fail with one clear line, and what a start says and prints."""

import os
import re
import shutil
import signal
import socket
import subprocess

import pytest

from lib import daemon as daemon_module
from lib import proc
from lib.daemon import EX_CONFIG, IS_ROOT, command, run, write_config
from lib.wait import PATIENCE_S, until

QUIET = {"LISTEN_ADDRESS": "127.0.0.1", "TRANSPORT": "none"}


def assert_refused(result, *words):
    """Exit 78, and one line on stderr that holds the words."""
    assert result.returncode == EX_CONFIG, result.stderr
    assert len(result.stderr.splitlines()) == 1, result.stderr
    for word in words:
        assert word in result.stderr


def test_missing_file(place):
    assert_refused(run(QUIET, config=f"{place}/none"), f"{place}/none")


def test_directory_as_file(place):
    assert_refused(run(QUIET, config=place), place)


def test_unreadable_file(place):
    path = write_config(place, "PCT=90\n")
    os.chmod(path, 0)
    assert_refused(run(QUIET, config=path, as_nobody=True), path)


@pytest.mark.parametrize(
    "line",
    [
        "FLUSH_INTERVAL=soon",
        "FLUSH_INTERVAL=10",
        "GRAPHITE_PORT=70000",
        "PCT=101",
        "TRANSPORT=pigeon",
        "MEMORY_LIMIT=much",
        "LOG_LEVEL=loud",
        "AGGREGATE_COUNTERS=maybe",
        "COUNTERS_PREFIX=$(id)",
        "PCT=90# of them",
    ],
)
def test_bad_value(place, line):
    path = write_config(place, f"# one\n\n{line}\n")
    assert_refused(run(QUIET, config=path), f"{path}:3")


def test_bad_value_on_the_command_line():
    assert_refused(run({**QUIET, "FLUSH_INTERVAL": "soon"}), "FLUSH_INTERVAL")


@pytest.mark.parametrize("setting", ["ALLOW_FROM=127.0.0.1", "RELAY=127.0.0.1:1"])
def test_key_that_is_not_built(setting):
    key, _, value = setting.partition("=")
    assert_refused(run({**QUIET, key: value}), key)


@pytest.mark.skipif(not IS_ROOT, reason="takes root: others ignore USER")
@pytest.mark.parametrize("key", ["USER", "GROUP"])
def test_unknown_user(key):
    settings = {**QUIET, "LOCAL_PYSTATD_PORT": str(proc.free_udp_port()), key: "nosuchone"}
    assert_refused(run(settings), "nosuchone")


def listening():
    """Settings of a daemon that starts where nothing else is wrong."""
    return {**QUIET, "LOCAL_PYSTATD_PORT": str(proc.free_udp_port())}


def test_state_of_another(daemons, place):
    """The second daemon waits for those that are ending, then it says why it does not start."""
    state = os.path.join(place, "state")
    daemon = daemons(None, {"STATE_DIR": state})
    result = run({**listening(), "STATE_DIR": state})
    assert_refused(result, f"STATE_DIR ({state})", "another pystatsd uses it")
    assert daemon.stop() == 0
    assert daemons(None, {"STATE_DIR": state}).stop() == 0


def test_state_of_another_version(daemons, place):
    state = os.path.join(place, "state")
    os.mkdir(state, 0o700)
    foreign = os.path.join(state, "worker-999.arena")
    with open(foreign, "w", encoding="ascii") as file:
        file.write("of another time")
    daemon = daemons(None, {"STATE_DIR": state})
    lines = [line for line in daemon.log.splitlines() if "worker-999.arena" in line]
    assert len(lines) == 1 and "[INFO]" in lines[0] and "left alone" in lines[0]
    assert daemon.stop() == 0
    with open(foreign, encoding="ascii") as file:
        assert file.read() == "of another time"


def test_state_that_others_may_write_to(place):
    state = os.path.join(place, "state")
    os.mkdir(state)
    os.chmod(state, 0o777)
    assert_refused(run({**listening(), "STATE_DIR": state}), f"STATE_DIR ({state})")


@pytest.mark.parametrize("key", ["STATE_DIR", "SPOOL_DIR", "GAUGES_FILE"])
def test_directory_that_is_none(place, key):
    path = os.path.join(place, "file")
    with open(path, "w", encoding="ascii") as file:
        file.write("untouched")
    value = f"{path}/gauges" if key == "GAUGES_FILE" else path
    assert_refused(run({**listening(), key: value}), f"{key} ({path})")
    os.unlink(path)
    os.symlink(place, path)
    assert_refused(run({**listening(), key: value}), f"{key} ({path})")


@pytest.mark.skipif(not IS_ROOT, reason="takes root: a directory of another user")
@pytest.mark.parametrize("as_nobody", [False, True])
@pytest.mark.parametrize("key", ["SPOOL_DIR", "GAUGES_FILE"])
def test_directory_that_is_not_for_the_user(place, key, as_nobody):
    path = os.path.join(place, "roots")
    os.mkdir(path)
    value = f"{path}/gauges" if key == "GAUGES_FILE" else path
    result = run({**listening(), key: value}, as_nobody=as_nobody)
    assert_refused(result, f"{key} ({path})", "may write to")


@pytest.mark.skipif(not IS_ROOT, reason="takes root: a mount namespace")
@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("key", ["STATE_DIR", "SPOOL_DIR", "GAUGES_FILE"])
def test_directory_that_the_unit_does_not_name(place, monkeypatch, key, is_there):
    """As ProtectSystem= has it: the file system is read-only, and what to do is said."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("takes a mount namespace, which a chroot has not")
    path = os.path.join(place, "directory")
    if is_there:
        os.mkdir(path, 0o700)
        shutil.chown(path, "root" if key == "STATE_DIR" else "nobody")
    argv = ["unshare", "-m", "sh", "-c",
            'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"', place]
    monkeypatch.setattr(daemon_module, "command", lambda *args: argv + command(*args))
    value = f"{path}/gauges" if key == "GAUGES_FILE" else path
    result = run({**listening(), key: value, "USER": "nobody"})
    assert_refused(result, f"{key} ({path})", "Read-only file system", "ReadWritePaths= of the unit")


@pytest.mark.skipif(not IS_ROOT, reason="takes root: what is left of it is the point")
def test_capabilities_of_the_unit(daemons, sink, place, monkeypatch):
    """Root as the service manager leaves it may not pass over permissions: not at the first start,
    nor at the next, which finds directories of another user."""
    with open(os.path.join(daemon_module.ROOT, "init/pystatsd.service"), encoding="ascii") as file:
        names = re.search(r"^CapabilityBoundingSet=(.*)$", file.read(), re.M).group(1).lower()
    bounding = ",".join(["-all", *names.replace("cap_", "+").split()])
    argv = ["setpriv", f"--bounding-set={bounding}", "--inh-caps=-all", "--clear-groups"]
    monkeypatch.setattr(daemon_module, "command", lambda *args: argv + command(*args))
    settings = {
        "STATE_DIR": f"{place}/state", "SPOOL_DIR": f"{place}/spool",
        "GAUGES_FILE": f"{place}/lib/gauges", "AGGREGATE_COUNTERS": "no",
    }
    for turn in range(2):
        daemon = daemons(sink, settings)
        daemon.send(f"turn{turn}:1|c")
        sink.wait_total(f"stats.turn{turn}", 1)
        assert daemon.stop() == 0


def test_nothing_to_listen_on():
    assert_refused(run({**QUIET, "LOCAL_PYSTATD_PORT": "0"}), "LOCAL_PYSTATD_PORT")


def test_port_in_use():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        port = str(holder.getsockname()[1])
        assert_refused(run({**QUIET, "LOCAL_PYSTATD_PORT": port}), port)


@pytest.mark.skipif("sanitize" in daemon_module.BUILD, reason="a sanitizer takes more addresses")
@pytest.mark.parametrize("args", [[], ["-D"]], ids=["foreground", "background"])
def test_worker_that_cannot_start(place, args):
    """Nothing serves: no child may be tried for ever, and the terminal shows what is wrong."""
    pidfile = os.path.join(place, "pid")
    port = proc.free_udp_port()
    settings = {**QUIET, "LOCAL_PYSTATD_PORT": str(port), "MEMORY_LIMIT": "8G"}
    argv = command(settings, [*args, "--pidfile", pidfile])
    result = subprocess.run(["prlimit", "--as=2000000000", *argv], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert result.returncode == 1, result.stderr
    errors = [line for line in result.stderr.splitlines() if "[ERROR]" in line]
    assert len(errors) == 2, result.stderr
    assert "] worker: cannot " in errors[0]
    assert re.search(r"worker \(pid [0-9]+\) died before it could serve: exit status 1", errors[1])
    assert not proc.udp_port_bound(port)
    assert not os.path.exists(pidfile) or os.path.getsize(pidfile) == 0


@pytest.mark.skipif(not IS_ROOT, reason="takes root: its own first process is none too many")
@pytest.mark.skipif("sanitize" in daemon_module.BUILD, reason="a sanitizer starts one at the end")
def test_no_process_can_be_started():
    """Each failure is told once, and no delivery of what there is not."""
    argv = command({**QUIET, "LOCAL_PYSTATSD_PORT": str(proc.free_udp_port())})
    result = subprocess.run(["prlimit", "--nproc=1", *argv], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert result.returncode == 1, result.stderr
    told = [line.split("master: ")[1] for line in result.stderr.splitlines()]
    assert "cannot start the worker: " in result.stderr.splitlines()[-1]
    assert len(set(told)) == len(told) and not any("delivering" in it for it in told), told
    assert sum("cannot start" in it for it in told) == 2, told


def test_unknown_flag():
    result = run(QUIET, ["--no-such-flag"])
    assert result.returncode == EX_CONFIG and "no-such-flag" in result.stderr


def test_unknown_key_is_a_warning(daemons, place, sink):
    path = write_config(place, "PTC=50\n")
    daemon = daemons(sink, config=path)
    warnings = daemon.warnings("PTC")
    assert len(warnings) == 1 and f"{path}:1" in warnings[0] and "PCT" in warnings[0]


def test_check_config(place):
    path = write_config(place, 'PCT={50,99}\nTIMERS_PREFIX="a.b"\n')
    result = run({"GRAPHITE_PORT": "2013"}, ["--check-config"], config=path)
    assert result.returncode == 0, result.stderr
    assert 'TIMERS_PREFIX="a.b"' in result.stdout
    assert 'GRAPHITE_PORT="2013"' in result.stdout
    assert f"{path}:2" in result.stdout and "--set" in result.stdout
    bad = write_config(place, "PCT=often\n")
    assert_refused(run({}, ["--check-config"], config=bad), f"{bad}:1")


def test_checked_configuration_reads_back(place):
    first = run({"PCT": "50", "GLOBAL_PREFIX": "x.y"}, ["--check-config"]).stdout
    path = write_config(place, first)
    second = run({}, ["--check-config"], config=path)
    assert second.returncode == 0, second.stderr
    values = [line for line in first.splitlines() if not line.startswith("#")]
    assert values == [line for line in second.stdout.splitlines() if not line.startswith("#")]


def test_version_and_help():
    version = run({}, ["--version"])
    assert version.returncode == 0 and re.search(r"pystatsd.*[0-9]+\.[0-9]+", version.stdout)
    usage = run({}, ["--help"])
    assert usage.returncode == 0 and "--flush-interval" in usage.stdout


@pytest.mark.parametrize("args", [["--version"], ["--help"], ["--check-config"],
                                  ["--explain", "a:1|c"]], ids=lambda it: it[0])
def test_output_that_cannot_be_written(args):
    with open("/dev/full", "w", encoding="ascii") as full:
        done = subprocess.run(command({}, args), stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == os.EX_IOERR


def test_comment_behind_a_value(place):
    """As in py-statsd's own file; a shell that reads the file sees the same."""
    path = write_config(place, 'GRAPHITE_HOST=localhost #this is your graphite server\n'
                               'GLOBAL_PREFIX="a#b" # c\n')
    result = run({}, ["--check-config"], config=path)
    assert result.returncode == 0, result.stderr
    sourced = subprocess.run(["sh", "-c", f". {path}; echo $GRAPHITE_HOST $GLOBAL_PREFIX"],
                             capture_output=True, text=True, check=True).stdout.split()
    assert sourced == ["localhost", "a#b"]
    for key, value in zip(("GRAPHITE_HOST", "GLOBAL_PREFIX"), sourced):
        assert f'{key}="{value}"' in result.stdout


def test_debug_prints_each_flush(daemons, sink):
    settings = {"AGGREGATE_COUNTERS": "no", "FLUSH_ALIGN": "no"}
    daemon = daemons(sink, settings, args=["--debug"])
    daemon.send("c:3|c\nc:4|c\ng:2.5|g\nt:10|ms\nt:20|ms\nt:30|ms")
    until(lambda: "Sent out 3 metrics" in daemon.output, "the flush")
    lines = daemon.output.splitlines()
    assert "Sending c => count=7" in lines
    assert "Sending g => value=2.5" in lines
    assert "Sending t ====> lower=10, mean=20, upper=30, 90pct=20, count=3" in lines
    end = "================== Flush completed. Waiting until next flush. Sent out 3 metrics ======="
    assert end in lines
    until(lambda: "Sent out 1 metrics" in daemon.output, "the gauge alone")


def test_without_debug_nothing_is_printed(daemon):
    daemon.send("c:3|c")
    daemon.sink.wait_total("stats.c", 3)
    assert daemon.output == ""


def test_debug_without_any_carbon(daemons, sinks):
    """How everybody meets the program first: flushes are shown, and one warning names carbon."""
    sink = sinks(listening=False)
    daemon = daemons(sink, args=["--debug"])
    until(lambda: daemon.output.count("Flush completed") >= 4, "four flushes")
    warnings = daemon.warnings()
    assert len([it for it in warnings if str(sink.port) in it]) == 1, warnings
    sink.listen()  # lets the daemon end without waiting for it


def test_transport_none(daemons):
    daemon = daemons(None, args=["--debug"])
    daemon.send("g:1|g")
    until(lambda: daemon.output.count("Sent out 1 metrics") >= 2, "two flushes")
    assert daemon.warnings("carbon") == []


def test_as_an_ordinary_user(daemons, sink):
    daemon = daemons(sink, {"AGGREGATE_COUNTERS": "no"}, as_nobody=True)
    assert re.search(r"\[INFO\].*not started as root", daemon.log)
    daemon.send("c:1|c")
    sink.wait_total("stats.c", 1)


def test_wildcard_listens_on_both_families(daemons, sink):
    daemon = daemons(sink, {"LISTEN_ADDRESS": "", "AGGREGATE_COUNTERS": "no"})
    daemon.send("four:1|c")
    if proc.have_ipv6():
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.sendto(b"six:1|c", ("::1", daemon.port))
        sink.wait_total("stats.six", 1)
    sink.wait_total("stats.four", 1)


def variant():
    """What to tell make for the build under test."""
    name = os.path.basename(os.path.realpath(daemon_module.BUILD))
    words = {"-debug": "DEBUG=1", "-werror": "WERROR=1", "-sanitize": "SANITIZE=address,undefined"}
    return [word for part, word in words.items() if part in name]


def make_run(output):
    """`make run`, free of what a make around this test put into the environment."""
    foreign = ("MAKE", "MFLAGS")
    env = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return subprocess.Popen(
        ["make", "--no-print-directory", "run", *variant()],
        cwd=daemon_module.ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def test_make_run(place):
    """From a terminal: the line it prints sends a metric that is shown, and Ctrl-C reaches make and
    the daemon alike, and all of them end."""
    if os.path.dirname(os.path.realpath(daemon_module.BUILD)) != os.path.realpath(daemon_module.ROOT):
        pytest.skip("the build under test is none of make's")
    if not os.access(os.path.join(daemon_module.ROOT, "etc/default/pystatsd"), os.R_OK):
        pytest.skip("there is no etc/default/pystatsd")
    if proc.udp_port_bound(8125):
        pytest.skip("port 8125 is taken")
    path = os.path.join(place, "output")
    with open(path, "wb") as output:
        process = make_run(output)

    def said(pattern):
        with open(path, encoding="utf-8", errors="replace") as file:
            return re.search(pattern, file.read(), re.M)

    try:
        until(lambda: proc.udp_port_bound(8125) or process.poll() is not None, "port 8125", 60)
        until(lambda: "pystatsd-sender" in proc.group(process.pid).values(), "the daemon")
        line = said(r"^ {4}(bash -c .*hello.*)$").group(1)
        subprocess.run(["sh", "-c", line], check=True, timeout=30)
        until(lambda: said(r"^Sending hello => count="), "the metric to be shown", 30)
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=30)
        until(lambda: not proc.group(process.pid), "the group to end")
    finally:
        for pid in proc.group(process.pid):
            os.kill(pid, signal.SIGKILL)
        process.wait()
