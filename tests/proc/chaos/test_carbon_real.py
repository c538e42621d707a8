"""Debian's carbon-cache: what whisper holds in the end."""

import time

import pytest

from lib import carbon as carbon_module
from lib import chaos, proc
from lib.wait import until

pytestmark = pytest.mark.skipif(
    bool(carbon_module.missing()), reason=carbon_module.missing() or "carbon is there"
)


@pytest.fixture
def carbons(place):
    made = []

    def make(**kwargs):
        made.append(carbon_module.Carbon(place, **kwargs))
        return made[-1]

    yield make
    for carbon in made:
        carbon.close()


def wait_until(wall_s):
    time.sleep(max(0, wall_s - time.time()))  # a moment that the case is about


def send_many(daemon, names):
    for i in range(0, len(names), 50):
        daemon.send("\n".join(f"{name}:5|c" for name in names[i : i + 50]))


def test_acknowledged_and_lost_in_its_cache(carbons, daemons):
    """What carbon had only in memory when it was killed goes there again."""
    n, updates, slot_s, after_s = chaos.pick((300, 20, 2, 0.6), (2000, 50, 10, 5))
    carbon = carbons(slot_s=slot_s, updates=updates).start()
    interval = str(1000 * slot_s)
    settings = {"AGGREGATE_COUNTERS": "no", "FLUSH_INTERVAL": interval, "SELF_STATS": "no"}
    daemon = daemons(carbon, settings)
    names = [f"kept.{i:04d}" for i in range(n)]
    end = (int(time.time() + 0.5) // slot_s + 1) * slot_s
    wait_until(end - 0.5)
    send_many(daemon, names)
    wait_until(end + after_s + 0.2)  # it has acknowledged long ago
    carbon.kill()
    held = [name for name in names if carbon.series(f"stats.{name}")]
    assert len(held) < n, "carbon was too quick: nothing is shown"
    assert not daemon.warnings(str(carbon.port)), "it has taken the flush"
    carbon.updates = "inf"
    wait_until(end + slot_s + 0.5)  # the daemon has seen that it is away
    carbon.start()

    def is_whole():
        return all(carbon.series(f"stats.{name}") == {end: 5} for name in names)

    until(is_whole, f"{n} points in whisper, of which {len(held)} were there", timeout=40, step=0.5)


def send_in_slots(daemon, until_s, slot_s, counts):
    """A counter's samples, told apart by the slot in which they were sent, until a moment."""
    while time.time() < until_s:
        into = time.time() % slot_s
        if 0.3 < into < slot_s - 0.5:
            end = (int(time.time()) // slot_s + 1) * slot_s
            daemon.send(*["slot:1|c\nslot.t:5|ms"] * 20)
            counts[end] = counts.get(end, 0) + 20
        time.sleep(0.005)  # the pace of the traffic


def test_restarts_within_slots(carbons, daemons, state):
    """The flush at the end of one daemon and the next one's share a slot: the last is the whole."""
    slot_s, at_s, n = chaos.pick((2, 0.9, 2), (10, 3, 20))
    carbon = carbons(slot_s=slot_s).start()
    settings = {
        "AGGREGATE_COUNTERS": "no",
        "FLUSH_INTERVAL": str(1000 * slot_s),
        "STATE_DIR": state,
        "LOCAL_PYSTATD_PORT": str(proc.free_udp_port()),
    }
    daemon, counts = daemons(carbon, settings), {}
    # A first interval that would be very short goes on to the end of the next.
    wait_until((int(time.time()) // slot_s + 1) * slot_s)
    for _ in range(n):
        slot = (int(time.time()) // slot_s + 1) * slot_s
        send_in_slots(daemon, slot + at_s, slot_s, counts)
        assert daemon.stop() == 0, daemon.log
        daemon = daemons(carbon, settings)
        assert time.time() < slot + slot_s, "too slow for this case"
    send_in_slots(daemon, slot + slot_s - 0.5, slot_s, counts)

    def is_whole():
        totals = carbon.series("stats.slot")
        return totals == counts == carbon.series("stats.timers.slot.t.count")

    try:
        until(is_whole, "the totals", timeout=2 * slot_s + 5, step=0.1)
    except AssertionError:
        assert carbon.series("stats.slot") == counts
        assert carbon.series("stats.timers.slot.t.count") == counts
