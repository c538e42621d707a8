"""The conformance format, as tests/conformance/README.md describes it."""

import os
import re

FILE = os.path.join(os.path.dirname(__file__), os.pardir, "conformance", "pystatsd.cases")
ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\"}


class Round:
    """Datagrams, then the end of the interval, then what it must have sent."""

    def __init__(self):
        self.send = []
        self.expect = []


class Case:
    def __init__(self, name):
        self.name = name
        self.config = {}
        self.rounds = []

    @property
    def flush_ms(self):
        return int(self.config.get("FLUSH_INTERVAL", "10000"))


def unescape(text):
    def one(match):
        escape = match.group(1)
        return bytes([int(escape[1:], 16)]) if escape[:1] == b"x" else ESCAPES[escape]

    return re.sub(rb"\\(x[0-9A-Fa-f]{2}|.)", one, text.encode("utf-8"))


def read(path=FILE):
    """All cases of a file, in its order."""
    cases, pending = [], None
    with open(path, encoding="utf-8", newline="\n") as file:
        for number, line in enumerate(file, 1):
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "case":
                cases.append(Case(rest))
                pending = Round()
            elif word == "config":
                key, _, value = rest.partition("=")
                cases[-1].config[key] = value
            elif word == "send":
                pending.send.append(unescape(rest))
            elif word == "flush":
                cases[-1].rounds.append(pending)
                pending = Round()
            elif word == "expect":
                name, _, value = rest.rpartition(" ")
                cases[-1].rounds[-1].expect.append((name, float(value)))
            elif word:
                raise ValueError(f"{path}:{number}: {word!r} is not a word of the format")
    return cases
