"""The daemon from outside: started, told, watched and ended. One instance is one process group."""

import os
import re
import shutil
import signal
import socket
import subprocess

from lib import ledger, proc
from lib.wait import PATIENCE_S, until

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir, os.pardir))
BUILD = os.path.join(ROOT, os.environ.get("PYSTATSD_BUILD") or "build")
SERVER = os.path.join(BUILD, "pystatsd-server")
IS_ROOT = os.geteuid() == 0
EX_CONFIG = 78
# Every process drops what root has and runs as nobody, as an ordinary user would start it.
AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--inh-caps=-all"]
SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:")


class Notify:
    """The supervisor's end of sd_notify(3): a datagram socket in the abstract name space."""

    def __init__(self):
        self.messages = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("")  # the kernel picks a name
        self._socket.setblocking(False)
        self.address = "@" + self._socket.getsockname()[1:].decode("ascii")

    def poll(self):
        """All assignments received so far, in order."""
        while True:
            try:
                text = self._socket.recv(4096).decode("utf-8", "replace")
            except BlockingIOError:
                return self.messages
            self.messages += text.splitlines()

    def count(self, assignment):
        return self.poll().count(assignment)

    def close(self):
        self._socket.close()


def command(settings, args=(), config="/dev/null", server=SERVER):
    """The daemon's argv."""
    argv = [server, *args, "--config", str(config)]
    for key, value in settings.items():
        argv += ["--set", f"{key}={value}"]
    return argv


def run(settings=None, args=(), config="/dev/null", as_nobody=False, timeout=PATIENCE_S):
    """Runs the daemon's program to its end: for what does not stay in the foreground."""
    argv = command(settings or {}, args, config)
    if as_nobody and IS_ROOT:
        argv = AS_NOBODY + argv
    return subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=timeout,
        check=False,
    )


class Daemon:
    """One daemon in the foreground. Its output goes to files in place.

    server is another build of it, wrapper the argv that it is run by (its pid has to stay that of
    the daemon), environment what it gets besides the test's own, stdout and stderr descriptors for it,
    manager a Manager that keeps its sockets."""

    def __init__(
        self,
        place,
        settings,
        args=(),
        config="/dev/null",
        as_nobody=False,
        server=SERVER,
        wrapper=(),
        environment=None,
        stdout=None,
        stderr=None,
        manager=None,
    ):
        self.place = str(place)
        self.settings = {"LISTEN_ADDRESS": "127.0.0.1", "FLUSH_INTERVAL": "1000"}
        self.settings.update(settings)
        # None takes a setting back, to leave it to a file or to the daemon's default.
        self.settings = {k: str(v) for k, v in self.settings.items() if v is not None}
        self.args = args
        self.config = config
        self.as_nobody = as_nobody and IS_ROOT
        self.server = server
        self.wrapper = wrapper
        self.environment = environment or {}
        self.stdout, self.stderr = stdout, stderr
        self.manager = manager
        self.notify = manager.notify if manager else Notify()
        self.process = None
        self.served = False
        self.port = 0
        self._client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def start(self, wait=True):
        """Starts it and waits until it is ready. Another program may take the free port first: then
        again, with the next."""
        for _ in range(5):
            self._spawn()
            if not wait:
                return self
            until(self._settled, "the daemon to be ready or gone", timeout=3 * PATIENCE_S)
            if self.notify.count("READY=1"):
                return self
            if "LOCAL_PYSTATD_PORT" in self.settings or "ddress already in use" not in self.log:
                break
        raise AssertionError(f"the daemon ended with {self.process.returncode}: {self.log}")

    def _settled(self):
        return self.notify.count("READY=1") or self.process.poll() is not None

    def _spawn(self):
        self.port = int(self.settings.get("LOCAL_PYSTATD_PORT") or proc.free_udp_port())
        settings = {**self.settings, "LOCAL_PYSTATD_PORT": str(self.port)}
        wrapper = [*self.wrapper, *(self.manager.wrapper() if self.manager else [])]
        argv = [*wrapper, *command(settings, self.args, self.config, self.server)]
        if self.as_nobody:
            argv = AS_NOBODY + argv
        out = open(os.path.join(self.place, "stdout"), "wb")
        err = open(os.path.join(self.place, "stderr"), "wb")
        with out, err:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out if self.stdout is None else self.stdout,
                stderr=err if self.stderr is None else self.stderr,
                env={**os.environ, "NOTIFY_SOCKET": self.notify.address, **self.environment},
                start_new_session=True,
                pass_fds=self.manager.descriptors() if self.manager else (),
            )

    def _text(self, name):
        with open(os.path.join(self.place, name), encoding="utf-8", errors="replace") as file:
            return file.read()

    @property
    def log(self):
        return self._text("stderr")

    @property
    def output(self):
        return self._text("stdout")

    def warnings(self, about=""):
        """The warnings logged so far that mention something."""
        return [it for it in self.log.splitlines() if "[WARN" in it and about in it]

    @property
    def pid(self):
        return self.process.pid

    def children(self):
        return proc.children(self.pid)

    def child(self, name):
        """The pid of pystatsd-NAME, once it is there under that name."""
        comm = f"pystatsd-{name}"
        return until(
            lambda: next((pid for pid, it in self.children().items() if it == comm), None), comm
        )

    def send(self, *datagrams):
        for datagram in datagrams:
            data = datagram.encode("ascii") if isinstance(datagram, str) else datagram
            self._client.sendto(data, ("127.0.0.1", self.port))

    def tell(self, number):
        self.process.send_signal(number)

    def wait(self, timeout=PATIENCE_S):
        """Waits for the master's end and returns its exit status."""
        return self.process.wait(timeout)

    def stop(self, number=signal.SIGTERM):
        """Asks it to end, waits, and returns the exit status."""
        self.tell(number)
        status = self.wait()
        proc.wait_gone(self.group(), "the daemon's children to end")
        return status

    def _check_ledger(self):
        """Of one that served, was asked to stop, and could say so."""
        ended_cleanly = self.process.returncode == 0 and self.served
        # A sender that died in the stop, and its successor, too, says nothing.
        could_say = " died: " not in self.log[self.log.rfind("] master: stopping") :]
        if ended_cleanly and could_say and not {"LOG", "LOG_LEVEL"} & set(self.settings):
            ledger.check(self.log)

    def group(self):
        return proc.group(self.pid)

    def close(self):
        """Ends it, and fails where it left a process behind, a sanitizer complained or its ledger
        does not close."""
        self._client.close()
        self.served = self.notify.count("READY=1") > 0
        self.notify.close()
        if self.process is None:
            return
        if self.process.poll() is None:
            try:
                self.stop()
            except (subprocess.TimeoutExpired, AssertionError):
                pass  # named below
        left = self.group()
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        assert not left, f"the daemon left {left} behind; its log: {self.log}"
        assert not SANITIZER.search(self.log), self.log
        self._check_ledger()


def write_config(place, text):
    """Writes a configuration file that every user may read, and returns its path."""
    path = os.path.join(str(place), "pystatsd.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o644)
    return path


def installed(program):
    """Whether Debian's program of that name is here."""
    return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is not None
