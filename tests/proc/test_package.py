"""What an operator's package is made of: unit, script, job, and the package itself.

`make test-package` installs it on machines of its own and looks at it there."""

import concurrent.futures
import os
import re
import shutil
import signal
import subprocess
import threading

import pytest

from lib import package, proc
from lib.daemon import AS_NOBODY, BUILD, IS_ROOT, ROOT, SERVER, installed
from lib.sysv import Script
from lib.wait import until

EXPOSURE_MAX = 24  # tenths

# The stanzas of init(5) that a job can have, with those that may come more than once.
STANZAS = set(
    """apparmor author cgroup chdir chroot console description emits end env exec expect export
    instance kill limit manual nice normal oom post-start post-stop pre-start pre-stop reload
    respawn script setgid setuid start stop task tmpfiles umask usage version""".split()
)
REPEATED = {"respawn", "kill", "env", "export", "limit", "emits"}


def text_of(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def unit(place):
    """The unit, naming the server that was built, with its socket's beside it."""
    for name in ("pystatsd.socket", "pystatsd.service"):
        path = os.path.join(place, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text_of(f"init/{name}").replace("/usr/bin/pystatsd-server", SERVER))
    return path


@pytest.mark.skipif(not installed("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("name", ["pystatsd.service", "pystatsd.socket"])
def test_systemd_has_nothing_to_say(unit, name):
    argv = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    done = subprocess.run(
        [*argv, os.path.join(os.path.dirname(unit), name)],
        capture_output=True,
        text=True,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "pystatsd" in line]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.skipif(not installed("systemd-analyze"), reason="systemd is not installed")
def test_exposure(unit):
    argv = ["systemd-analyze", "security", "--offline=true", "--no-pager"]
    done = subprocess.run(
        [*argv, f"--threshold={EXPOSURE_MAX}", unit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("status, slept", [("0", ""), ("78", "1"), ("1", "5"), ("KILL", ""),
                                           ("ABRT", ""), ("", "")])
def test_only_a_start_that_failed_waits_for_the_next(place, status, slept):
    """A log that says the same four times a second helps nobody; a crash is made good at once."""
    shell = re.search(r"^ExecStopPost=/bin/sh -c '(.*)'$", text_of("init/pystatsd.service"), re.M)
    sleep = os.path.join(place, "sleep")
    with open(sleep, "w", encoding="ascii") as file:
        file.write('#!/bin/sh\nprintf %s "$1"\n')
    os.chmod(sleep, 0o755)
    done = subprocess.run(["/bin/sh", "-c", shell.group(1)], capture_output=True, text=True,
                          env={"EXIT_STATUS": status, "PATH": place}, check=True)
    assert done.stdout == slept


# --- /etc/init.d/pystatsd ---


@pytest.fixture
def script(place, sink):
    """The script with a free port in its settings, and what it has started ended."""
    made = Script(place, {})
    made.usual = {
        "LISTEN_ADDRESS": "127.0.0.1",
        "LOCAL_PYSTATD_PORT": proc.free_udp_port(),
        "FLUSH_INTERVAL": 1000,
        "GRAPHITE_HOST": sink.host,
        "GRAPHITE_PORT": sink.port,
    }
    made.write(made.usual)
    yield made
    made.close()


@pytest.fixture
def sleeper():
    """A process that is none of ours."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()


def test_script_is_for_every_shell():
    assert text_of("init/pystatsd.init").startswith("#!/bin/sh\n")
    subprocess.run(["dash", "-n", os.path.join(ROOT, "init/pystatsd.init")], check=True)


@pytest.mark.skipif(not installed("checkbashisms"), reason="devscripts is not installed")
@pytest.mark.parametrize("name", ["init/pystatsd.init", "debian/pystatsd.postrm",
                                  "debian/pystatsd.prerm"])
def test_script_has_nothing_of_bash(name):
    done = subprocess.run(["checkbashisms", "--force", os.path.join(ROOT, name)],
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_header_of_the_script():
    header = re.search(r"### BEGIN INIT INFO\n(.*)### END INIT INFO\n", text_of("init/pystatsd.init"),
                       re.S).group(1)
    fields = dict(re.findall(r"^# ([\w-]+): +(.*)$", header, re.M))
    assert fields["Provides"] == "pystatsd"
    assert fields["Default-Start"].split() == list("2345")
    assert fields["Default-Stop"].split() == list("016")
    assert {"Required-Start", "Required-Stop", "Short-Description", "Description"} <= set(fields)


def test_start_and_stop(script):
    assert script.status("status") == 3
    assert script.status("start") == 0
    assert script.status("status") == 0
    pid = script.pid
    assert proc.stat(pid)[0] == "pystatsd-master"
    assert script.status("stop") == 0
    assert not proc.alive(pid)
    assert script.status("status") == 3


def test_pidfile_of_the_settings(script, place):
    default, script.pidfile = script.pidfile, os.path.join(place, "other.pid")
    script.write({**script.usual, "PIDFILE": script.pidfile})
    assert script.status("start") == 0
    assert proc.alive(script.pid) and not os.path.exists(default)
    assert script.status("status") == 0
    assert script.status("stop") == 0


def test_stopped_twice(script):
    assert script.status("stop") == 0
    assert script.status("stop") == 0


def test_started_twice_is_one(script):
    assert script.status("start") == 0
    pid = script.pid
    assert script.status("start") == 0
    assert script.pid == pid


def test_restart(script):
    assert script.status("restart") == 0  # of nothing
    pid = script.pid
    assert script.status("restart") == 0
    assert script.pid != pid and not proc.alive(pid)
    assert script.status("status") == 0


def test_try_restart(script):
    assert script.status("try-restart") == 0
    assert script.status("status") == 3
    script.run("start")
    pid = script.pid
    assert script.status("try-restart") == 0
    assert script.pid != pid


@pytest.mark.parametrize("action", ["reload", "force-reload"])
def test_reload(script, sinks, action):
    assert script.status(action) == 7
    script.run("start")
    pid, other = script.pid, sinks()
    script.write({**script.usual, "GRAPHITE_PORT": other.port})
    assert script.status(action) == 0
    other.wait_batches(1)
    assert script.pid == pid


@pytest.mark.parametrize("broken", ["FLUSH_INTERVAL=soon\n", "X=a(b\n"])
def test_wrong_settings(script, broken):
    """They are said, and what runs goes on."""
    assert script.status("start") == 0
    pid = script.pid
    with open(script.settings, "a", encoding="utf-8") as file:
        file.write(broken)
    for action in ("reload", "restart"):
        status, said = script.run(action)
        assert status == 6 and script.settings in said, said
    assert script.pid == pid and proc.alive(pid)
    assert script.status("stop") == 0
    assert script.status("start") == 6
    assert not os.path.exists(script.pidfile)


@pytest.mark.parametrize("broken", ["X=a(b\n", "exit 0\n"])
def test_pidfile_before_what_is_wrong(script, place, broken):
    """What runs is found by it, and stopped."""
    script.pidfile = os.path.join(place, "other.pid")
    script.write({**script.usual, "PIDFILE": script.pidfile})
    assert script.status("start") == 0
    pid = script.pid
    with open(script.settings, "a", encoding="utf-8") as file:
        file.write(broken)
    assert script.status("status") == 0
    assert script.status("stop") == 0
    assert not proc.alive(pid)


@pytest.mark.skipif(not IS_ROOT, reason="takes root: to be somebody else")
@pytest.mark.parametrize("action", ["start", "stop", "restart", "reload", "try-restart", "status"])
def test_somebody_elses_daemon(script, place, action):
    assert script.status("start") == 0
    os.chmod(place, 0o755)
    status, said = script.run(action, user=AS_NOBODY)
    assert status == 4 and "cannot be read" in said
    assert proc.alive(script.pid)


@pytest.mark.skipif(not IS_ROOT, reason="takes root: to be somebody else")
def test_nobodys_business(script, place):
    """Where nothing runs either; what changes nothing is for everybody."""
    os.chmod(place, 0o755)
    for action in ("start", "stop", "restart", "reload", "force-reload", "try-restart"):
        status, said = script.run(action, user=AS_NOBODY)
        assert status == 4 and f"{place} cannot be written to" in said, (action, status, said)
    assert script.run("status", user=AS_NOBODY)[0] == 3
    assert script.run("begin", user=AS_NOBODY)[0] == 2


def test_port_in_use(script):
    other = proc.hold_udp_port()
    script.write({**script.usual, "LOCAL_PYSTATD_PORT": other.getsockname()[1]})
    status, said = script.run("start")
    other.close()
    assert status == 1 and "in use" in said


def test_pidfile_of_the_dead(script):
    script.run("start")
    pid = script.pid
    children = proc.children(pid)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not proc.alive(pid), "the master to die")
    proc.wait_gone(children)
    script.write_pid(pid)
    assert script.status("status") == 1
    assert script.status("start") == 0
    assert script.pid != pid
    assert script.status("status") == 0


def test_many_look_at_once(script):
    """None takes another for a daemon, and the one that starts meanwhile is not held up."""
    script.write_pid(2**22)  # nobody's
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(script.status, ["status"] * 40)) == {1}
        over = threading.Event()
        lookers = [pool.submit(look_until, script, over) for _ in range(4)]
        status, said = script.run("start")
        over.set()
        seen = set().union(*(it.result() for it in lookers))
    assert status == 0, said
    assert script.status("status") == 0 and proc.stat(script.pid)[0] == "pystatsd-master"
    assert seen <= {0, 1, 3}


def look_until(script, over):
    """What `status` answers until then."""
    seen = set()
    while not over.is_set():
        seen.add(script.status("status"))
    return seen


@pytest.mark.parametrize("action", ["stop", "restart", "reload", "try-restart"])
def test_pidfile_of_another(script, sleeper, action):
    script.write_pid(sleeper.pid)
    assert script.status("status") == 1
    assert script.status(action) == {"reload": 7}.get(action, 0)
    assert sleeper.poll() is None
    assert script.status("status") == {"restart": 0, "stop": 3}.get(action, 1)


def test_what_remains_of_a_removed_package(script):
    os.unlink(script.daemon)
    assert script.status("start") == 0
    assert script.status("stop") == 0
    assert script.status("status") == 3


@pytest.mark.parametrize("words", [(), ("begin",)])
def test_usage(script, words):
    status, said = script.run(*words)
    assert status == 2 and "force-reload" in said


# --- upstart ---


def job():
    """[(stanza, rest)] of the job; it has no script blocks."""
    lines = [line.split(None, 1) for line in text_of("init/pystatsd.conf.upstart").splitlines()]
    return [(it[0], it[1] if len(it) > 1 else "") for it in lines if it and it[0][0] != "#"]


def test_job_is_one_for_upstart():
    names = [name for name, _ in job()]
    assert set(names) <= STANZAS
    assert {name for name in names if names.count(name) > 1} <= REPEATED
    for name, rest in job():
        assert rest.count("(") == rest.count(")") and rest.count('"') % 2 == 0, name


def test_job_stays_in_the_foreground():
    """Upstart follows no fork then, and must not expect one."""
    stanzas = dict(job())
    assert stanzas["exec"] == "/usr/bin/pystatsd-server"
    assert "expect" not in stanzas and "su " not in text_of("init/pystatsd.conf.upstart")
    assert ("respawn", "") in job() and "limit 10 60" in [rest for name, rest in job()]


# --- the package ---

IN_PACKAGE = {
    "etc/default/pystatsd",
    "etc/init.d/pystatsd",
    "lib/systemd/system/pystatsd.service",
    "lib/systemd/system/pystatsd.socket",
    "usr/bin/pystatsd",
    "usr/bin/pystatsd-server",
    "usr/share/bash-completion/completions/pystatsd",
    "usr/share/doc/pystatsd/README.md",
    "usr/share/doc/pystatsd/changelog.gz",
    "usr/share/doc/pystatsd/copyright",
    "usr/share/doc/pystatsd/examples/pystatsd.conf.upstart",
}


@pytest.mark.skipif(
    not all(map(installed, package.TOOLS)), reason="debhelper or fakeroot is not installed"
)
@pytest.mark.skipif("sanitize" in BUILD, reason="the same package as that of the other builds")
def test_package(place):
    built = package.Built(package.copy(os.path.join(place, "build")))
    root = built.unpack(os.path.join(place, "root"))
    pages = {f"usr/share/man/man{page[-1]}/{page}.gz" for page in os.listdir(f"{ROOT}/man")}
    of_library = {page for page in pages if "/man3/" in page}
    files = built.files("pystatsd")
    assert IN_PACKAGE | pages - of_library <= files
    assert not any("libpystatsd" in file or "/man3/" in file for file in files)
    assert any(re.fullmatch(r"usr/lib/[\w-]+/libpystatsd\.so\.0", file)
               for file in built.files("libpystatsd0"))
    development = built.files("libpystatsd-dev")
    assert {"usr/include/pystatsd.h", "usr/share/man/man3/pystatsd_timing.3.gz"} <= development
    assert of_library <= development
    for name in ("libpystatsd.so", "libpystatsd.a", "pkgconfig/pystatsd.pc"):
        assert any(re.fullmatch(rf"usr/lib/[\w-]+/{re.escape(name)}", it) for it in development)
    assert "usr/lib/python3/dist-packages/pystatsd.abi3.so" in built.files("python3-pystatsd")
    assert os.path.isdir(os.path.join(root, "var/lib/pystatsd"))
    settings = os.path.join(root, "etc/default/pystatsd")
    done = subprocess.run(
        [os.path.join(root, "usr/bin/pystatsd-server"), "--check-config", "--config", settings],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    assert 'STATE_DIR="/run/pystatsd"' in done.stdout
    assert 'GAUGES_FILE="/var/lib/pystatsd/gauges/latest"' in done.stdout
    command = os.path.join(root, "usr/bin/pystatsd")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"pystatsd [0-9.]+\S*\n", done.stdout)
    shutil.rmtree(built.place)
