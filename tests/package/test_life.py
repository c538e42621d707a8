"""A package's life on a machine of each init system, under load, with real carbon behind it.

The tests stand in the order of such a life, and each leaves the service running for the next."""

import glob
import os
import re
import signal
import subprocess
import time

import pytest

from conftest import NEWER
from lib import proc
from lib.daemon import ROOT
from lib.wait import until
from service import (PORT, RATE, SETTINGS, Load, alive, has, quiet_total, send, total, wait_total)

DROP_IN = "/etc/systemd/system/pystatsd.service.d"
JOB = "/usr/share/doc/pystatsd/examples/pystatsd.conf.upstart"
RESTARTS, STOPS, BETWEEN_S = 20, 5, 0.5
# Where nobody keeps the sockets, what the kernel may have taken for one that is closed before
# anybody has read it: the time from a daemon's last look to its end, for each stop.
CLOSING_S = 0.03
WATCHDOG_S = 60
RESTART_S = 4  # and one more, after a start that failed
UNTRACKED = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log", "var/tmp", "root", "tmp", "run", "proc",
             "sys", "dev", "var/lib/systemd/random-seed", "var/lib/systemd/timesync",
             "var/lib/systemd/timers", "var/lib/systemd/catalog", "var/lib/sudo")
LEFT_BY_OTHERS = ("etc/machine-id", "var/lib/dbus", "etc/.pwd.lock", "var/lib/urandom")


def files(machine):
    """All names on the machine's disk but those of logs, caches and the package manager's own."""
    found = set()
    for path, folders, names in os.walk(machine.root):
        here = os.path.relpath(path, machine.root)
        folders[:] = [it for it in folders if os.path.normpath(f"{here}/{it}") not in UNTRACKED]
        found.update(os.path.normpath(f"{here}/{it}") for it in folders + names)
    return {it for it in found if not it.startswith(UNTRACKED + LEFT_BY_OTHERS)}


@pytest.fixture(scope="module")
def before(machine):
    return files(machine)


@pytest.fixture(scope="module")
def installed(machine, before, built, service):
    """Installed and started, with carbon away."""
    service.said = machine.run("dpkg", "-i", machine.copy_in(built.deb)).stdout
    return service


@pytest.fixture(scope="module")
def served(installed, machine, carbon):
    """Real carbon behind it, and intervals of a second."""
    with machine.network():
        carbon.start()
    installed.configure(FLUSH_INTERVAL=1000, AGGREGATE_COUNTERS="no")
    installed.do("restart")
    installed.wait_up()
    until(lambda: carbon.series("statsd.numStats"), "the first flush", timeout=60)
    return installed


def settle(machine, carbon, load, stops=0):
    """All that was received is at carbon, interval by interval, and all that was sent was received:
    systemd keeps the sockets. Elsewhere some is refused while there are none, or lost with what
    they held when they were closed, at so many stops."""
    is_kept = machine.init == "systemd" or not stops
    spare = 0 if is_kept else int(RATE * CLOSING_S * stops)
    name = f"stats.{load.name}"
    wait_total(carbon, name, load.taken - spare)
    lost = load.taken - quiet_total(carbon, name)
    print(f"{load.name}: {load.taken} taken, {load.refused} refused, {lost} lost")
    assert 0 <= lost <= spare
    assert not (is_kept and load.refused)
    counts, applied = carbon.series(name), carbon.series("statsd.lines_applied")
    assert counts == {at: applied.get(at) for at in counts}
    if not stops:
        assert set(range(min(counts), max(counts))) <= set(applied), "an interval is missing"


def test_starts_without_carbon(installed, machine):
    assert "rror" not in installed.said, installed.said
    pids = installed.wait_up()
    assert installed.do("status") == 0
    for pid in pids.values():
        assert proc.status(pid)["Uid"].split() == ["65534"] * 4
    assert has(machine, "/run/pystatsd") and has(machine, "/var/lib/pystatsd/gauges")


def test_one_init_system_has_it(installed, machine):
    pids = installed.wait_up()
    is_service = "pystatsd.service" in machine.run(
        "cat", f"/proc/{own_pid(pids['pystatsd-master'])}/cgroup").stdout
    assert is_service == (machine.init == "systemd")
    assert has(machine, "/run/pystatsd.pid") == (machine.init == "sysvinit")


def own_pid(pid):
    """The pid that a process has in its machine."""
    return int(proc.status(pid)["NSpid"].split()[-1])


def test_script_goes_where_the_init_system_is(installed, machine):
    """/etc/init.d/pystatsd is systemd's there, and starts no second daemon."""
    pids = installed.wait_up()
    assert machine.status("/etc/init.d/pystatsd", "start") == 0
    assert installed.running() == pids
    assert machine.status("/etc/init.d/pystatsd", "restart") == 0
    installed.wait_up(pids.values())
    assert machine.status("/etc/init.d/pystatsd", "status") == 0


def test_metrics_reach_carbon(served, machine, carbon):
    send(machine, "c:3|c\nc:4|c", "g:2.5|g", "t:7|ms")
    assert wait_total(carbon, "stats.c", 7) == 7
    until(lambda: 2.5 in carbon.series("stats.g").values(), "the gauge")
    until(lambda: 7 in carbon.series("stats.timers.t.upper").values(), "the timer")


def may_ask(machine, *who):
    return machine.status("setpriv", "--reuid=65534", "--regid=65534", *who, "pystatsd", "list") == 0


def test_can_be_asked(served, machine):
    """By the command, where the package's settings have it; by nobody but root, and by members of the
    group that the settings name."""
    said = machine.run("pystatsd", "status", "--check").stdout
    assert said.startswith("OK - ")
    assert "gauge g" in machine.run("pystatsd", "list").stdout.splitlines()
    assert not may_ask(machine, "--groups=adm")
    before = served.settings()
    served.configure(GROUP="adm", ADMIN_SOCKET_MODE="0660")
    served.do("restart")
    assert may_ask(machine, "--groups=adm") and not may_ask(machine, "--clear-groups")
    served.write_settings(before)
    served.do("restart")
    assert not may_ask(machine, "--groups=adm")


def examples(*keys):
    """{key: the value that the page of settings has as its example}."""
    with open(os.path.join(ROOT, "man/pystatsd.default.5"), encoding="utf-8") as file:
        page = file.read()
    return {key: re.search(rf"^\.Dl {key}=(.*)$", page, re.M).group(1) for key in keys}


def drop_in(machine, *lines):
    """What the unit has besides; nothing: as it is shipped."""
    machine.run("rm", "-rf", DROP_IN)
    if lines:
        machine.run("mkdir", DROP_IN)
        with open(os.path.join(machine.path(DROP_IN), "x.conf"), "w", encoding="ascii") as file:
            file.writelines(f"{line}\n" for line in ("[Service]", *lines))
    systemctl(machine, "daemon-reload")


def test_paths_of_the_page(served, machine):
    """Its examples are for this package, and a directory elsewhere is one that a unit has to allow."""
    before = served.settings()
    try:
        served.configure(**examples("STATE_DIR", "SPOOL_DIR", "GAUGES_FILE", "ADMIN_SOCKET"))
        served.do("restart")
        served.wait_up()
        if machine.init == "systemd":
            machine.run("install", "-d", "-o", "nobody", "/srv/spool")
            served.configure(SPOOL_DIR="/srv/spool")
            assert served.do("restart", check=False) != 0
            assert "Read-only file system" in machine.run("journalctl", "-u", "pystatsd").stdout
            drop_in(machine, "ReadWritePaths=/srv/spool")
            served.do("restart")
            served.wait_up()
    finally:
        served.write_settings(before)
        machine.run("rm", "-rf", "/srv/spool", "/var/lib/pystatsd/spool")
        if machine.init == "systemd":
            drop_in(machine)
        served.do("restart")
    served.wait_up()


PROGRAM = """#include <pystatsd.h>
int main(void)
{
    struct pystatsd_options options = {.prefix = "from"};
    struct pystatsd_client *client;
    int error = pystatsd_client_new(&options, &client);

    if (error == 0) {
        pystatsd_increment(client, "c", 1);
        pystatsd_client_free(client);
    }
    return error != 0;
}
"""


def build(machine):
    """A program for it, with what it has itself of the library."""
    folder, = glob.glob(machine.path("/usr/lib/*/pkgconfig"))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "pystatsd"], check=True, text=True,
                           env={**os.environ, "PKG_CONFIG_LIBDIR": folder,
                                "PKG_CONFIG_SYSROOT_DIR": machine.root,
                                "PKG_CONFIG_ALLOW_SYSTEM_CFLAGS": "1",
                                "PKG_CONFIG_ALLOW_SYSTEM_LIBS": "1"}, stdout=subprocess.PIPE).stdout
    subprocess.run(["cc", "-x", "c", "-", "-x", "none", "-o", machine.path("/root/program"),
                    *flags.split()], input=PROGRAM, text=True, check=True)


def test_libraries(served, machine, carbon, built):
    """A program of C and one of Python, with the packages that are for them."""
    debs = [it for it in built.debs if it != built.deb]
    machine.run("dpkg", "-i", *map(machine.copy_in, debs))
    build(machine)
    machine.run("/root/program")
    machine.run("python3", "-c", "from pystatsd import Client; Client().increment('from.python')")
    assert wait_total(carbon, "stats.from.c", 1) == 1
    assert wait_total(carbon, "stats.from.python", 1) == 1
    machine.run("dpkg", "-P", *(os.path.basename(it).split("_")[0] for it in debs))


@pytest.mark.parametrize("name", ["worker", "sender"])
def test_killed_child(served, machine, carbon, name):
    with Load(machine, f"kill-{name}") as load:
        for _ in range(5):
            pids = served.wait_up()
            time.sleep(0.3)
            os.kill(pids[f"pystatsd-{name}"], signal.SIGKILL)
            served.wait_up([pids[f"pystatsd-{name}"]])
    settle(machine, carbon, load)


def test_killed_master(served, machine, carbon):
    """systemd starts it again; elsewhere it is dead until somebody does."""
    with Load(machine, "kill-master") as load:
        time.sleep(1)
        pids = served.wait_up()
        os.kill(pids["pystatsd-master"], signal.SIGKILL)
        if machine.init == "sysvinit":
            until(lambda: not served.running(), "the children to end, too")
            assert served.do("status", check=False) == 1
            served.do("start")
        served.wait_up(pids.values())
        time.sleep(1)
    settle(machine, carbon, load, stops=1)


def test_start_that_fails_again_and_again(served, machine):
    """The log has it now and then, not four times a second; what can start then does."""
    if machine.init != "systemd":
        pytest.skip("systemd alone tries again")
    drop_in(machine, "LimitNPROC=1")
    try:
        assert served.do("restart", check=False) != 0
        began, before = time.monotonic(), n_restarts(machine)
        until(lambda: n_restarts(machine) >= before + 2, "two more starts", timeout=60)
        assert time.monotonic() - began >= RESTART_S
    finally:
        drop_in(machine)
        served.do("restart")
    served.wait_up()


def n_restarts(machine):
    return int(machine.run("systemctl", "show", "pystatsd", "-P", "NRestarts").stdout)


def test_watchdog(served, machine, carbon):
    if machine.init != "systemd":
        pytest.skip("systemd alone watches")
    pids = served.wait_up()
    os.kill(pids["pystatsd-master"], signal.SIGSTOP)
    until(lambda: not alive([pids["pystatsd-master"]]), "the watchdog", timeout=WATCHDOG_S)
    served.wait_up(pids.values())
    assert "watchdog" in machine.run("journalctl", "-u", "pystatsd").stdout.lower()
    send(machine, "watched:1|c")
    assert wait_total(carbon, "stats.watched", 1) == 1


def test_reload(served, machine, carbon):
    """In place; a wrong file is an error of the reload, and changes nothing."""
    pids = served.wait_up()
    right = served.settings()
    served.configure(FLUSH_INTERVAL="soon")
    assert served.do("reload", check=False) != 0
    served.write_settings(right)
    with Load(machine, "reload") as load:
        for _ in range(5):
            served.do("reload")
            time.sleep(0.2)
    assert served.running() == pids
    settle(machine, carbon, load)


def test_restarts_lose_nothing(served, machine, carbon):
    with Load(machine, "restarts") as load:
        for _ in range(RESTARTS):
            pids = served.wait_up()
            time.sleep(BETWEEN_S)
            served.do("restart")
            served.wait_up(pids.values())
    settle(machine, carbon, load, stops=RESTARTS)


def systemctl(machine, *words):
    machine.run("systemctl", "--quiet", *words)


def test_socket_unit(served, machine, carbon):
    """It is nobody's choice but an operator's. Then systemd has the sockets also while the service
    is stopped, and starts it again for the first datagram."""
    if machine.init != "systemd":
        pytest.skip("systemd alone has units")
    assert machine.status("systemctl", "is-enabled", "pystatsd.socket") != 0
    served.do("stop")
    systemctl(machine, "enable", "--now", "pystatsd.socket")
    served.do("start")
    with Load(machine, "held") as load:
        for _ in range(STOPS):
            pids = served.wait_up()
            time.sleep(BETWEEN_S)
            served.do("stop")
            served.wait_up(pids.values())
        served.do("restart")
        pids = served.wait_up(pids.values())
        time.sleep(BETWEEN_S)
        os.kill(pids["pystatsd-master"], signal.SIGKILL)
        served.wait_up(pids.values())
    settle(machine, carbon, load, stops=STOPS + 2)
    assert "LISTEN_ADDRESS and LOCAL_PYSTATD_PORT" in machine.run("journalctl", "-u", "pystatsd").stdout
    systemctl(machine, "disable", "--now", "pystatsd.socket")
    served.do("restart")
    served.wait_up()
    send(machine, "own:1|c")
    assert wait_total(carbon, "stats.own", 1) == 1


def test_reboot(served, machine, carbon):
    """It starts by itself, with its gauges, and not the last interval twice."""
    send(machine, "kept:41.5|g", "once:1|c")
    wait_total(carbon, "stats.once", 1)
    carbon.close()
    machine.stop()
    machine.start()
    with machine.network():
        carbon.start()
    served.wait_up()
    at = time.time()
    until(lambda: any(ts > at and value == 41.5 for ts, value in
                      carbon.series("stats.kept").items()), "the gauge", timeout=60)
    assert total(carbon, "stats.once") == 1


def test_upstart_job(served, machine):
    """Nobody has an upstart any more; its shell at least does here what it would."""
    if machine.init == "systemd":
        pytest.skip("systemd would start it, too")
    served.do("stop")
    with open(machine.path(JOB), encoding="utf-8") as file:
        command = re.search("^exec .*$", file.read(), re.M).group()
    shell = machine.spawn("sh", "-ec", command)
    master = served.wait_up()["pystatsd-master"]
    assert proc.stat(master)[2] == shell.pid, "it went into the background"
    os.kill(master, signal.SIGTERM)
    shell.communicate(timeout=60)
    assert shell.returncode == 0
    served.do("start")


def test_upgrade(served, machine, carbon, newer):
    """Settings that were edited are kept, and nobody is asked."""
    pids = served.wait_up()
    deb = machine.copy_in(newer.deb)
    with Load(machine, "upgrade") as load:
        time.sleep(0.5)
        machine.run("dpkg", "-i", deb)
        served.wait_up(pids.values())
        time.sleep(0.5)
    settle(machine, carbon, load, stops=1)
    assert machine.run("dpkg-query", "-W", "-f=${Version}", "pystatsd").stdout == NEWER
    assert machine.run("pystatsd-server", "--version").stdout.strip().endswith(NEWER)
    with open(machine.path(SETTINGS), encoding="utf-8") as file:
        assert "\nFLUSH_INTERVAL=1000\n" in file.read()


def test_port_in_use(served, machine, newer):
    """No reason not to be installed; what is in the way is said."""
    served.do("stop")
    served.wait_down()
    with machine.network():
        other = proc.hold_udp_port(PORT)
    with other:
        assert "in use" in machine.run("dpkg", "-i", machine.copy_in(newer.deb)).stdout or (
            "in use" in machine.run("journalctl", "-u", "pystatsd").stdout)
        assert machine.run("dpkg-query", "-W", "-f=${Status}",
                           "pystatsd").stdout == "install ok installed"
    served.do("start")
    served.wait_up()


def test_remove_and_purge(served, machine, before, carbon):
    send(machine, "last:1|c")
    machine.run("dpkg", "-r", "pystatsd")
    served.wait_down()
    assert wait_total(carbon, "stats.last", 1) == 1
    assert has(machine, SETTINGS) and has(machine, "/var/lib/pystatsd/gauges/latest")
    with machine.network():
        assert not proc.udp_port_bound(PORT)
    machine.run("dpkg", "-P", "pystatsd")
    assert files(machine) - before == set()
    for path in ("/run/pystatsd", "/run/pystatsd.pid", "/var/lib/pystatsd"):
        assert not has(machine, path)
