"""System calls that fail: Debian's strace around a daemon, or behind one process of it."""

import os
import signal
import subprocess

from lib import proc
from lib.wait import until

PROGRAM = "/usr/bin/strace"
# What looks for leaks at the end of a sanitizer build would itself trace.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0"}


def missing():
    """Why it cannot be run here, or ""."""
    if not os.access(PROGRAM, os.X_OK):
        return "strace is not installed"
    tried = subprocess.run(
        [PROGRAM, "-o", "/dev/null", "true"], capture_output=True, text=True, check=False
    )
    return "" if tried.returncode == 0 else f"strace cannot trace here: {tried.stderr.strip()}"


def _options(output, call, error, when):
    inject = f"inject={call}:error={error}" + (f":when={when}" if when else "")
    return ["-I2", "-f", "-qq", "-o", output, "-e", f"trace={call}", "-e", inject]


def wrapper(output, call, error, when):
    """What a daemon is to be run by: its pid stays its own. Of each process and thread of it the
    call that is the when-th of its kind fails."""
    return [PROGRAM, "-DDD", *_options(output, call, error, when)]


def n_injected(output):
    with open(output, encoding="utf-8", errors="replace") as file:
        return file.read().count("(INJECTED)")


def detach(pid):
    """Ends the tracer of a process; the process goes on."""
    tracer = int(proc.status(pid)["TracerPid"])
    if tracer != 0:
        os.kill(tracer, signal.SIGTERM)
        until(lambda: not proc.alive(tracer), "strace to end")


class Attached:
    """Every such call of a process that runs already fails, until close()."""

    def __init__(self, pid, call, error):
        self._process = subprocess.Popen(
            [PROGRAM, *_options("/dev/null", call, error, None), "-p", str(pid)],
            stdin=subprocess.DEVNULL,
        )
        until(lambda: int(proc.status(pid)["TracerPid"]) == self._process.pid, "strace to attach")

    def close(self):
        self._process.terminate()
        self._process.wait()
