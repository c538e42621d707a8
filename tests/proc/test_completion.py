"""What bash offers behind our programs, as it asks the functions that it has sourced."""

import os
import re
import shutil
import subprocess
import threading
import time

import pytest

from lib.admin import Admin
from lib.daemon import BUILD, ROOT, SERVER, run
from lib.wait import PATIENCE_S

FOLDER = os.path.join(ROOT, "etc/bash_completion.d")
COMMAND = os.path.join(BUILD, "pystatsd")
SILENCE_S = 10  # after which the command gives up
# What readline does with the words of a line, the last of which is being typed.
ASK = r"""
. "$1" || exit
shift
complete -p "$0" >/dev/null || exit
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
"_${0//-/_}" "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" || exit
printf '%s\n' "${COMPREPLY[@]}"
"""

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")


def offers(*words, cwd="/", server=SERVER, home="/", of="pystatsd-server", **env):
    """What is offered for the last of the words by the file of that name. Nothing may be printed
    besides."""
    command = ["bash", "--norc", "-uc", ASK, of, os.path.join(FOLDER, of), server, *words]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False,
                            env={**os.environ, "HOME": home, **env})
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
    for words in (["--port", ""], ["--pct", "9"], ["--counters-prefix", ""], ["--explain", ""], [""]):
        assert offers(*words) == set()


# --- the pystatsd command


def command_offers(*words, **kwargs):
    return offers(*words, server=COMMAND, of="pystatsd", **kwargs)


def help_of(*words):
    return subprocess.run([COMMAND, "help", *words], capture_output=True, text=True,
                          check=True).stdout


def test_commands():
    known = set(re.findall(r"^  ([a-z]+) ", help_of().partition("\nFlags")[0], re.M))
    assert len(known) > 15
    assert command_offers("") == command_offers("help", "") == known
    assert command_offers("de") == {"decrement", "delete"}
    assert command_offers("--port", "8126", "in") == {"increment"}
    assert command_offers("--port", "=", "8126", "in") == {"increment"}
    assert command_offers("status", "") == command_offers("increment", "na") == set()


def test_flags_of_a_command():
    for name in ("", "status", "top", "increment", "gauge", "delete", "flush"):
        words = [name] if name else []
        known = set(re.findall(r"^ .*?(--[a-z-]+)", help_of(*words), re.M))
        assert {it for it in command_offers(*words, "-") if it.startswith("--")} == known
    assert command_offers("top", "-") >= {"-n", "-h"}
    assert command_offers("status", "--j") == {"--json"}


def test_metrics(place):
    admin = Admin(os.path.join(place, "admin"), list="ok\ncounter a.b\ntimer a.c\n")
    try:
        for name in ("get", "list", "watch", "delete"):
            assert command_offers(name, "a", PYSTATSD_ADMIN_SOCKET=admin.path) == {"a.b", "a.c"}
            assert admin.asked[-1] == ("list", "a*")
        assert command_offers("get", "a.b", "a", PYSTATSD_ADMIN_SOCKET=admin.path) == set()
    finally:
        admin.close()
    assert command_offers("get", "a", PYSTATSD_ADMIN_SOCKET=admin.path) == set()


def test_metrics_of_the_daemon_that_is_named(place):
    one = Admin(os.path.join(place, "one"), list="ok\ncounter a.one\n")
    home = Admin(os.path.join(place, "home"), list="ok\ncounter a.home\n")
    try:
        for words in (["--socket", home.path, "get"], ["--socket", "=", home.path, "get"],
                      [f"--socket={home.path}", "get"], ["get", "--socket", home.path],
                      ["get", "--socket", "~/home"], ["--rows", "3", "get", "--socket", home.path]):
            assert command_offers(*words, "a", home=place,
                                  PYSTATSD_ADMIN_SOCKET=one.path) == {"a.home"}, words
        assert one.asked == []
        assert command_offers("--prefix", "x", "get", "a", PYSTATSD_ADMIN_SOCKET=one.path) == {"a.one"}
    finally:
        one.close()
        home.close()


@pytest.mark.skipif(not shutil.which("timeout"), reason="there is no timeout to be had")
def test_metrics_of_a_daemon_that_does_not_answer(place):
    """The prompt is back before the command itself would give up."""
    end = threading.Event()

    def stall(connection, _):
        connection.sendall(b"ok\ncounter a.b\n")
        end.wait(PATIENCE_S)

    admin = Admin(os.path.join(place, "admin"), list=stall)
    try:
        start = time.monotonic()
        command_offers("get", "a", PYSTATSD_ADMIN_SOCKET=admin.path)
        assert time.monotonic() - start < SILENCE_S
    finally:
        end.set()
        admin.close()


def test_files_and_commands(place):
    os.mkdir(os.path.join(place, "folder"))
    for words in (["status", "--socket", "f"], ["increment", "a", "--unix", "=", "f"],
                  ["time", "name", "ls", "f"]):
        assert command_offers(*words, cwd=place) == {"folder"}, words
    assert "bash" in command_offers("time", "name", "bas")
    assert command_offers("increment", "--port", "") == set()
