"""What the README has to be typed in, typed in."""

import os
import pty
import re
import shlex
import shutil
import socket
import subprocess

import pytest

from lib.daemon import ROOT, run
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


def sees_packets():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close()
    except PermissionError:
        return False
    return True


@pytest.mark.skipif(not sees_packets(), reason="takes root of the network: to see all packets")
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


def table(head):
    """The cells of each row of the table with that head."""
    rows = text_of("README.md").split(head)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


# What no setting stands behind, and what is of a later version.
OTHERS = {"--config", "--set", "--check-config", "--explain", "--version", "--help"}
ACTIONS = {"--daemon", "--stop", "--restart"}
WORDS = {"every address": "", "none": ""}
OPERANDS = {"--name": "127.0.0.1", "--transport": "none", "--pidfile": "/x", "--pct": "99"}


def defaults():
    return dict(re.findall(r'^([A-Z_]+)="(.*)"$', run(args=["--check-config"]).stdout, re.M))


def test_flags_of_the_table():
    """All that py-statsd had, with their letters, the keys they set, and these keys' defaults."""
    helped = {long: (letter, operand) for letter, long, operand in re.findall(
        r"^ {2}(?:(-.),| {3}) (--[a-z-]+)( [A-Z]\S*)?", run(args=["--help"]).stdout, re.M)}
    seen = set()
    for flags, keys, said in table("| flag | key | default |"):
        names = re.findall(r"`(-[^`]+)`", flags)
        longs = [it for it in names if it.startswith("--")]
        assert {helped[it][0] for it in longs} - {""} == set(names) - set(longs)
        seen.update(longs)
        pairs = re.findall(r"`([A-Z_]+)(?:=(\w+))?`", keys)
        setting = [it for it in longs if it not in ACTIONS]
        assert len(setting) == len(pairs), flags
        for long, (key, value), default in zip(setting, pairs, said.split(", ")):
            args = [long, *([OPERANDS.get(long, "1000")] if helped[long][1] else []), "--check-config"]
            assert f'# command line: {long}\n{key}="{value}' in run(args=args).stdout, long
            if not value and key != "PIDFILE":
                assert WORDS.get(default, re.split("[: ]", default)[0]) == defaults()[key], key
    assert seen == {it for it in helped if not it.startswith("--ganglia")} - OTHERS


# Of exampleConfig.js, in its order.
ETSYS = """graphiteHost graphitePort graphitePicklePort graphiteProtocol backends servers server address
    address_ipv6 port socket socket_mod debug mgmt_address mgmt_port title healthStatus dumpMessages
    flushInterval percentThreshold flush_counts keyFlush deleteIdleStats deleteGauges gaugesMaxTTL
    deleteTimers deleteSets deleteCounters prefixStats keyNameSanitize calculatedTimerMetrics console
    log legacyNamespace globalPrefix prefixCounter prefixTimer prefixGauge prefixSet globalSuffix
    repeater repeaterProtocol histogram automaticConfigReload""".split()


def test_all_of_etsys_keys_are_in_the_table():
    cells = " ".join(cell for row in table("| `config.js` | here |") for cell in row)
    named = set(re.findall(r"`(?:graphite\.|\.)?(\w+)", cells))
    assert [key for key in ETSYS if key not in named] == []


def test_settings_of_the_table_are_ours():
    """Each key that stands beside one of Etsy's is a setting, and its values are taken."""
    there = [row[1] for row in table("| `config.js` | here |")]
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
