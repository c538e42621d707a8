"""A small Debian with an init system of its own, booted in a container without a way out.

It has a file system and a network of its own; programs of this machine can be run in that network.
Takes root. One at a time: systemd-nspawn's control groups have fixed names here."""

import contextlib
import ctypes
import glob
import os
import re
import shutil
import subprocess

from lib import proc
from lib.daemon import IS_ROOT, installed
from lib.wait import until

TOOLS = ("mmdebstrap", "systemd-nspawn", "nsenter", "ip")
INITS = {
    "systemd": ["systemd", "systemd-sysv", "dbus"],
    "sysvinit": ["sysvinit-core", "sysv-rc", "initscripts"],
}
SUITE = "bookworm"
BOOT_S = 120
CLONE_NEWNET = 0x40000000
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LC_ALL": "C"}
CGROUPS = ("payload", "supervisor")

libc = ctypes.CDLL(None, use_errno=True)


def missing():
    """Why no machine can be had here, or ""."""
    if not IS_ROOT:
        return "takes root: a machine is a container"
    absent = [tool for tool in TOOLS if not installed(tool)]
    return f"{', '.join(absent)}: not installed" if absent else ""


class NoDebian(Exception):
    """Where no mirror can be reached, as mmdebstrap puts it."""


# As mmdebstrap itself installs, with the mirrors of this machine. The file says that it came so far.
INSTALL = ("touch {begun} && APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq -y -o Dpkg::Use-Pty=0 "
           "-o Dir::Bin::dpkg=env -o DPkg::Options::=--unset=TMPDIR -o DPkg::Options::=dpkg "
           '-o DPkg::Chroot-Directory="$1" install {packages}')


def make_root(path, init, packages, hook=""):
    """A new Debian in a directory, with an init system and, in a second step, what a package of ours
    depends on: that it cannot be had is a fault of the package. The hook is shell that mmdebstrap
    runs at the end, while it can still download."""
    begun = f"{path}.begun"
    install = INSTALL.format(begun=begun, packages=" ".join(packages))
    argv = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(INITS[init])}"]
    argv += [f"--customize-hook={it}" for it in (install, hook) if it] + [SUITE, path]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0 and re.search(r"apt-get update .* failed", done.stdout):
        raise NoDebian(done.stdout)
    assert done.returncode == 0, (
        f"{'what the packages depend on' if os.path.exists(begun) else 'a Debian'}: {done.stdout}")
    with open(os.path.join(path, "etc/hosts"), "w", encoding="ascii") as hosts:
        hosts.write("127.0.0.1 localhost\n::1 localhost\n")
    return path


@contextlib.contextmanager
def network_of(pid):
    """What this thread opens and starts within is in the network of that process."""
    with open("/proc/self/ns/net", "rb") as ours, open(f"/proc/{pid}/ns/net", "rb") as theirs:
        enter(theirs)
        try:
            yield
        finally:
            enter(ours)


def enter(namespace):
    if libc.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Machine:
    """One that is on between start() and stop(), as often as one likes. Its disk is kept."""

    def __init__(self, root, init, log):
        self.root = str(root)
        self.init = init
        self.log = str(log)
        self._nspawn = None
        self._leader = 0

    def start(self):
        argv = ["systemd-nspawn", "--quiet", "-D", self.root, "--boot", "--register=no"]
        argv += ["--keep-unit", "--private-network", "--console=read-only"]
        with open(self.log, "ab") as log:
            self._nspawn = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self._leader = until(self._find_leader, "an init process", timeout=BOOT_S)
        self._on_host("ip", "link", "set", "lo", "up")
        until(self._is_up, "the machine to be up", timeout=BOOT_S, step=0.1)
        return self

    def _find_leader(self):
        assert self._nspawn.poll() is None, f"no machine: {self.log}"
        found = proc.children(self._nspawn.pid)
        return next((pid for pid, comm in found.items() if comm in ("systemd", "init")), 0)

    def _is_up(self):
        if self.init == "systemd":
            return self.run("systemctl", "is-system-running", check=False).stdout.strip() in (
                "running", "degraded")
        return self.run("runlevel", check=False).stdout.split()[-1:] == ["2"] and not any(
            comm in ("rc", "startpar") for comm in self.processes().values())

    def _on_host(self, *argv):
        subprocess.run(["nsenter", "-t", str(self._leader), "-n", *argv], check=True)

    def network(self):
        return network_of(self._leader)

    def run(self, *argv, check=True):
        """Runs a program in it, as root would at its console."""
        process = self.spawn(*argv)
        output = process.communicate()[0]
        assert not check or process.returncode == 0, (argv, process.returncode, output)
        return subprocess.CompletedProcess(argv, process.returncode, output)

    def spawn(self, *argv):
        """Starts a program in it; the process is the one here that waits for it."""
        inside = ["nsenter", "-t", str(self._leader), "-m", "-u", "-i", "-n", "-p", "-r", "-w"]
        return subprocess.Popen([*inside, *argv], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace")

    def status(self, *argv):
        return self.run(*argv, check=False).returncode

    def processes(self):
        """{pid here: comm} of all that runs in it."""
        ours = os.readlink(f"/proc/{self._leader}/ns/pid")
        return {pid: it[0] for pid, it in proc.processes().items() if namespace(pid) == ours}

    def named(self, comm):
        """The pids here of all processes of that name."""
        return [pid for pid, it in self.processes().items() if it == comm]

    def path(self, name):
        """Where a file of its disk is here."""
        return os.path.join(self.root, name.lstrip("/"))

    def live_path(self, name):
        """The same of what it has mounted, as /run."""
        return os.path.join(f"/proc/{self._leader}/root", name.lstrip("/"))

    def copy_in(self, file):
        """Its name there."""
        shutil.copy(file, self.path("/root"))
        return f"/root/{os.path.basename(file)}"

    def stop(self):
        """As its operator would."""
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None:
            self.run("poweroff", check=False)
        try:
            self._nspawn.wait(BOOT_S)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._nspawn = None
        remove_cgroups()


def namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


def remove_cgroups():
    """What nspawn leaves of them; one that is in use stays."""
    for name in CGROUPS:
        for top in glob.glob(f"/sys/fs/cgroup/*/{name}") + glob.glob(f"/sys/fs/cgroup/{name}"):
            for path, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(path)
