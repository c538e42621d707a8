"""What bash offers behind pystatsd-server, as it asks the function that it has sourced."""

import os
import re
import shutil
import subprocess

import pytest

from lib.daemon import ROOT, SERVER, run

FILE = os.path.join(ROOT, "etc/bash_completion.d/pystatsd-server")
# What readline does with the words of a line, the last of which is being typed.
ASK = r"""
. "$1" || exit
shift
complete -p pystatsd-server >/dev/null || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_pystatsd_server "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit
printf '%s\n' "${COMPREPLY[@]}"
"""

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


def offers(*words, cwd="/", server=SERVER, home="/"):
    """What is offered for the last of the words. Nothing may be printed besides."""
    command = ["bash", "--norc", "-uc", ASK, "bash", FILE, server, *words]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False,
                            env={**os.environ, "HOME": home})
    assert (result.returncode, result.stderr) == (0, "")
    return set(result.stdout.split())


def test_flags():
    known = set(re.findall(r"^ .*?(--[a-z-]+)", run(args=["--help"]).stdout, re.M))
    unbuilt = {flag for flag in known if flag.startswith("--ganglia")}
    assert offers("-") - {"-d", "-n", "-p", "-r", "-t", "-D", "-h"} == known - unbuilt
    assert offers("--graphite-") == {"--graphite-host", "--graphite-port"}
    assert offers("--debug", "--che") == {"--check-config"}
    assert offers("--nothing") == set()


def test_keys():
    output = run(args=["--check-config"]).stdout
    assert offers("--set", "") == {f"{key}=" for key in re.findall(r"^([A-Z_]+)=", output, re.M)}
    assert offers("--set", "SPOOL_") == {"SPOOL_DIR=", "SPOOL_MAX_BYTES=", "SPOOL_MAX_AGE="}


def test_files(place):
    os.mkdir(os.path.join(place, "folder"))
    with open(os.path.join(place, "file"), "w", encoding="ascii"):
        pass
    for words in (["--config", "f"], ["--config", "=", "f"], ["--pidfile", "f"],
                  ["--set", "STATE_DIR", "=", "f"]):
        assert offers(*words, cwd=place) == {"file", "folder"}, words
    assert offers("--config", "=", cwd=place) == {"file", "folder"}
    assert offers("--config", f"{place}/fi") == {f"{place}/file"}


def test_choices():
    assert offers("--transport", "") == offers("-r", "=") == {"graphite", "none"}
    assert offers("--set", "LOG", "=") == {"stderr", "syslog", "journal"}
    assert offers("--set", "LOG_LEVEL", "=", "wa") == {"warning"}
    assert offers("--set", "IDLE_GAUGES", "=") == {"last", "omit"}
    assert offers("--set", "SELF_STATS", "=") == {"yes", "no"}
    assert offers("--set", "DIALECT", "=") == {"pystatsd"}
    assert offers("--set", "FLUSH_INTERVAL", "=") == set()


def test_command_at_home(place):
    os.symlink(SERVER, os.path.join(place, "server"))
    assert offers("-r", "", server="~/server", home=place) == {"graphite", "none"}


def test_what_nobody_can_know():
    for words in (["--port", ""], ["--pct", "9"], ["--counters-prefix", ""], [""]):
        assert offers(*words) == set()
