"""Waiting for an event with a deadline, in place of sleeping and hoping."""

import time

# A generous bound for what takes milliseconds on an idle machine: a sanitizer build on two cores
# that run six tests at once is slow, and only a failure ever waits this long.
PATIENCE_S = 20.0


def until(predicate, what, timeout=PATIENCE_S, step=0.01):
    """Calls predicate until it returns something true, and returns that. what may be a function."""
    deadline = time.monotonic() + timeout
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            what = what() if callable(what) else what
            raise AssertionError(f"waited {timeout:.0f} s in vain for {what}")
        time.sleep(step)
