"""Other programs under the packed load: collectd of Debian, statsd of npm.

What is not installed is fetched into a temporary directory, through apt and npm.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from measure import RECEIVER_CPU, Child, proc, send_all, sink_of, total, udp_state, until

INSTALL_S = 120
START_S = 20
SETTLE_S = 7  # a flush of 5 s, and its delivery

COLLECTD = """
FQDNLookup false
Hostname "bench"
BaseDir "{place}"
PIDFile "{place}/pid"
PluginDir "{plugins}"
TypesDB "{types}"
Interval 5
LoadPlugin statsd
LoadPlugin write_graphite
<Plugin statsd>
  Host "127.0.0.1"
  Port "{port}"
  TimerPercentile 90
</Plugin>
<Plugin write_graphite>
  <Node "sink">
    Host "127.0.0.1"
    Port "{sink}"
  </Node>
</Plugin>
"""


def fetch(argv, place):
    """Runs an installer; says why where it cannot."""
    try:
        done = subprocess.run(argv, cwd=place, stdin=subprocess.DEVNULL, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=INSTALL_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise RuntimeError(f"{argv[0]}: {error}") from error
    if done.returncode:
        said = (done.stdout.strip().splitlines() or [""])[-1]
        raise RuntimeError(f"{' '.join(argv[:2])}: {said}")


def collectd(place, port, sink):
    """argv of collectd."""
    root = Path("/")
    if not shutil.which("collectd", path="/usr/sbin:/usr/bin"):
        os.chmod(place, 0o755)  # apt fetches as a user of its own
        fetch(["apt-get", "download", "collectd-core"], place)
        package = next(place.glob("collectd-core*.deb"))
        root = place / "root"
        fetch(["dpkg-deb", "-x", str(package), str(root)], place)
    config = place / "collectd.conf"
    config.write_text(COLLECTD.format(place=place, plugins=root / "usr/lib/collectd", port=port,
                                      types=root / "usr/share/collectd/types.db", sink=sink),
                      encoding="ascii")
    return [root / "usr/sbin/collectd", "-f", "-C", config]


def etsy(place, port, sink):
    """argv of Etsy's statsd."""
    fetch(["npm", "install", "--no-audit", "--no-fund", "--no-optional", "--prefix", str(place),
           "statsd"], place)
    config = place / "config.js"
    config.write_text(json.dumps({
        "address": "127.0.0.1", "port": port, "mgmt_address": "127.0.0.1",
        "mgmt_port": proc.free_tcp_port(), "flushInterval": 5000, "graphiteHost": "127.0.0.1",
        "graphitePort": sink, "backends": ["./backends/graphite"],
    }), encoding="ascii")
    return ["node", place / "node_modules/statsd/stats.js", config]


PEERS = {"collectd": collectd, "statsd (npm)": etsy}


def run_peer(build, load, peer):
    """{"ns": CPU per sample that it received, "lost": samples, "samples": sent}"""
    with contextlib.ExitStack() as stack:
        place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pystatsd-bench-")))
        _, sink_port = stack.enter_context(sink_of(build, load))
        port = proc.free_udp_port()
        argv = peer(place, port, sink_port)
        child = stack.enter_context(Child(argv, {RECEIVER_CPU}, stdout=subprocess.DEVNULL,
                                          stderr=subprocess.DEVNULL))
        until(lambda: proc.udp_port_bound(port) or not child.alive(), "the peer", START_S)
        if not child.alive():
            raise RuntimeError(f"it ended with {child.process.returncode}")
        sent = send_all(build, load, port)
        drops = udp_state(port)[1]
        time.sleep(SETTLE_S)
        cpu_s = child.end(10)
    samples = total(sent, "samples")
    lost = round(samples * drops / total(sent, "datagrams"))
    return {"ns": cpu_s * 1e9 / max(1, samples - lost), "lost": lost, "samples": samples}
