"""What is told of a line is what the server does with it, on every case of the conformance file."""

import collections
import re
import subprocess

import pytest

from lib import cases
from lib.daemon import Daemon, command
from lib.sink import Sink

pytestmark = pytest.mark.xdist_group("explain")  # its answers are found once

CASES = cases.read()
EX_DATAERR, EX_CONFIG = 65, 78


def tell(text, settings=None):
    """(exit status, output lines) of --explain. No argument can hold a NUL, which no name and no
    number keeps: another byte that is dropped takes its place."""
    argv = command(settings or {}, ["--explain", text.replace(b"\0", b"\1")])
    result = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return result.returncode, result.stdout.decode("ascii").splitlines()


def verdicts(told):
    """One word for each line: "applied", "filtered", "bad.REASON", "refused.REASON"."""
    found = []
    for line in told:
        key, _, rest = line.partition(" ")
        reason = rest.partition(":")[0]
        if key == "line":
            found.append("applied")
        elif key == "refused":
            known = reason in ("metrics", "memory", "overflow")
            found[-1] = f"refused.{reason}" if known else f"bad.{reason}"
        elif key == "filtered":
            found[-1] = "filtered"
        elif key == "empty":
            found.pop()
    return found


def sent(told):
    lines = [it.split() for it in told if it.startswith("sent ")]
    return [(name, float(value)) for _, name, value in lines]


@pytest.fixture(scope="module")
def answers():
    """{(datagram, settings): what is told of it}."""
    found = {}
    for case in CASES:
        for step in case.rounds:
            for datagram in step.send:
                key = datagram, tuple(case.config.items())
                if key not in found:
                    found[key] = tell(datagram, case.config)
    return found


def told_of(case, answers):
    return [line for step in case.rounds for datagram in step.send
            for line in answers[datagram, tuple(case.config.items())][1]]


def test_verdicts(place, answers):
    """All datagrams in one interval of one server: as many lines of each fate as were told."""
    sink = Sink()
    settings = {"GRAPHITE_HOST": "127.0.0.1", "GRAPHITE_PORT": sink.port, "FLUSH_INTERVAL": 600000}
    daemon = Daemon(place, settings).start()
    told = collections.Counter()
    try:
        for case in CASES:
            for step in case.rounds:
                daemon.send(*step.send)
            told.update(verdicts(told_of(case, answers)))
        assert daemon.stop() == 0
        own = {name: float(value) for name, value, _ in sink.batches[-1].lines()}
    finally:
        daemon.close()
        sink.close()
    done = collections.Counter({"applied": int(own["statsd.lines_applied"])})
    for name, value in own.items():
        if re.match(r"statsd\.(bad|refused)\.|statsd\.filtered$", name) and value > 0:
            done[name.partition(".")[2]] = int(value)
    assert own["statsd.udp_drops"] == 0
    assert told == done
    assert told["applied"] > 1000 and len(told) >= 6


@pytest.mark.parametrize("case", [it for it in CASES if len(it.rounds) == 1], ids=lambda it: it.name)
def test_what_is_sent(case, answers):
    """The names of each case, and the values of those that one line alone makes."""
    told, expected = sent(told_of(case, answers)), dict(case.rounds[0].expect)
    assert {name for name, _ in told} == set(expected)
    times = collections.Counter(name for name, _ in told)
    for name, value in told:
        if times[name] == 1:
            assert value == pytest.approx(expected[name], rel=1e-9, abs=0), name


def test_status():
    assert tell(b"a:1|c")[0] == 0
    assert tell(b"a:1|x")[0] == EX_DATAERR
    assert tell(b"a:1|c", {"DROP": "a"}) == (
        EX_DATAERR, ["line a:1|c", "type counter", "value 1", "rate 1", "name a", "clean a",
                     "filtered DROP a"])
    assert tell(b"a:1|c", {"PCT": "x"})[0] == EX_CONFIG
