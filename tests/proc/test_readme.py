"""What the README has to be typed in, typed in."""

import os
import pty
import re
import shlex
import shutil
import subprocess

import pytest

from lib.daemon import IS_ROOT, ROOT, run
from lib.wait import until


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def sniffers():
    """The arguments of the two lines, the one for what arrives first."""
    lines = re.findall(r"^ {4}sudo (ngrep .*)$", text_of("README.md"), re.M)
    assert lines == ["ngrep -qd any . udp dst port 8125",
                     "ngrep -qd any stats tcp dst port 2003"]
    page = re.findall(r"^\.Dl (ngrep .*)$", text_of("man/pystatsd-server.8"), re.M)
    assert [line.replace("\\&", "") for line in page] == lines
    return [shlex.split(line) for line in lines]


class Sniffer:
    """One of them, on another port, as it shows itself on a terminal."""

    def __init__(self, command, port):
        self.terminal, side = pty.openpty()
        os.set_blocking(self.terminal, False)
        self.process = subprocess.Popen([*command[:-1], str(port)], stdin=subprocess.DEVNULL,
                                        stdout=side, stderr=side, start_new_session=True)
        os.close(side)
        self.text = ""
        until(lambda: "match" in self.read(), f"{command[0]} to listen")

    def read(self):
        try:
            self.text += os.read(self.terminal, 65536).decode("latin-1")
        except BlockingIOError:
            pass
        return self.text

    def close(self):
        self.process.terminate()
        self.process.wait()
        os.close(self.terminal)


@pytest.mark.skipif(not IS_ROOT, reason="takes root: to see all packets")
@pytest.mark.skipif(not shutil.which("ngrep"), reason="ngrep is not installed")
def test_what_arrives_and_what_is_sent(daemons, sink):
    arriving, leaving = sniffers()
    daemon = daemons(sink, {"AGGREGATE_COUNTERS": "no"})
    made = [Sniffer(arriving, daemon.port), Sniffer(leaving, sink.port)]
    try:
        daemon.send("hello:3|c")
        until(lambda: "hello:3|c" in made[0].read(), "what arrives")
        until(lambda: "stats.hello 3" in re.sub(r"\s*\r?\n\s*", "", made[1].read()),
              "what is sent")
    finally:
        for sniffer in made:
            sniffer.close()


def test_settings_of_the_table_are_ours():
    """Each key that stands beside one of Etsy's is a setting, and its values are taken."""
    table = text_of("README.md").split("| `config.js` | here |")[1].split("\n\n")[0]
    there = [row.split("|")[2] for row in table.splitlines()[2:]]
    settings = re.findall(r"`([A-Z_]+)(?:=([^`]+))?`", " ".join(there))
    keys = set(re.findall(r"^([A-Z_]+)=", run(args=["--check-config"]).stdout, re.M))
    assert len(settings) > 15
    assert {key for key, _ in settings} <= keys
    given = {key: value for key, value in settings if value}
    assert run(given, ["--check-config"]).returncode == 0


def test_names_of_etsys_default(daemons, sink):
    """What is said to be kept is sent under Etsy's names with the settings that stand there."""
    part = text_of("README.md").split("## In the place of Etsy's statsd")[1]
    settings = dict(re.findall(r"^ {4}([A-Z_]+)=(\S+)$", part, re.M))
    assert len(settings) == 4
    daemon = daemons(sink, settings)
    daemon.send("n:1|c\ng:2|g\ns:a|s\nt:3|ms")
    wanted = ["stats.n", "stats.gauges.g", "stats.sets.s.count"]
    wanted += [f"stats.timers.t.{it}" for it in ("lower", "upper", "upper_90", "mean", "count")]
    sink.wait(lambda: set(wanted) <= {name for name, _ in sink.store}, "those names")
