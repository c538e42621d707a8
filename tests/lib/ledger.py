"""The line with which a daemon ends that was asked to: what came in and what became of it."""

import re

# Whether a daemon that ended cleanly and logs at info level must have said it.
REQUIRED = True

LINE = re.compile(
    r"ledger: received (?P<received>\d+) = applied (?P<applied>\d+) \+ filtered (?P<filtered>\d+)"
    r" \+ bad (?P<bad>\d+) \+ refused (?P<refused>\d+);"
    r" emitted (?P<emitted>\d+) = delivered (?P<delivered>\d+) \+ queued (?P<queued>\d+)"
    r" \+ spooled (?P<spooled>\d+) \+ dropped (?P<dropped>\d+);"
    r" kernel drops (?P<kernel_drops>\d+), quarantined (?P<quarantined>\d+)$",
    re.M,
)
SUMS = {
    "received": ("applied", "filtered", "bad", "refused"),
    "emitted": ("delivered", "queued", "spooled", "dropped"),
}


def read(log):
    """{what: lines} of the last one in a log, None where there is none. It has to close."""
    found = list(LINE.finditer(log))
    if not found:
        assert "ledger:" not in log, f"not as it should read: {log[log.index('ledger:'):]}"
        return None
    ledger = {what: int(count) for what, count in found[-1].groupdict().items()}
    for whole, parts in SUMS.items():
        assert ledger[whole] == sum(ledger[part] for part in parts), f"open: {found[-1].group()}"
    return ledger


def check(log):
    """Of a daemon that ended cleanly."""
    assert read(log) is not None or not REQUIRED, f"no ledger: {log}"
