"""/etc/init.d/pystatsd as `make install` has placed it, with paths of its own in a private place."""

import os
import re
import subprocess

from lib.daemon import ROOT, SERVER
from lib.wait import PATIENCE_S


class Script:
    """The script, its settings and its pidfile; the rest of the machine does not see them."""

    def __init__(self, place, settings):
        self.place = str(place)
        self.settings = os.path.join(self.place, "settings")
        self.pidfile = os.path.join(self.place, "pystatsd.pid")
        self.path = os.path.join(self.place, "pystatsd")
        self.daemon = os.path.join(self.place, "pystatsd-server")
        self.write(settings)
        self._place_daemon()
        self._place_script()

    def _place_daemon(self):
        with open(self.daemon, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\nexec "{SERVER}" --config "{self.settings}" "$@"\n')
        os.chmod(self.daemon, 0o755)

    def _place_script(self):
        with open(os.path.join(ROOT, "init/pystatsd.init"), encoding="utf-8") as file:
            text = file.read()
        for name, value in {"DAEMON": self.daemon, "SETTINGS": self.settings}.items():
            text, n = re.subn(f"^{name}=.*$", f"{name}={value}", text, flags=re.M)
            assert n == 1
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text.replace("/run/pystatsd.pid", self.pidfile))

    def write(self, settings):
        """Settings as a dict, or as the text of a file that is none."""
        if isinstance(settings, dict):
            settings = "".join(f'{key}="{value}"\n' for key, value in settings.items())
        with open(self.settings, "w", encoding="utf-8") as file:
            file.write(settings)

    def run(self, *words, user=()):
        """(exit status, what it said); user is what makes a command run as somebody else."""
        done = subprocess.run(
            [*user, "dash", self.path, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            timeout=2 * PATIENCE_S,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    def status(self, *words):
        """The exit status alone."""
        return self.run(*words)[0]

    def write_pid(self, pid):
        with open(self.pidfile, "w", encoding="ascii") as file:
            file.write(f"{pid}\n")

    @property
    def pid(self):
        with open(self.pidfile, encoding="ascii") as file:
            return int(file.read())

    def close(self):
        self.run("stop")
