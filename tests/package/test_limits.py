"""What a machine's kernel enforces on the installed service, and what the service makes of it."""

import os
import shutil
import subprocess

import pytest

from lib import emulated, machine, package
from lib.wait import until

GROUP = "/sys/fs/cgroup/system.slice/pystatsd.service"
SETTINGS = {"FLUSH_INTERVAL": "1000", "AGGREGATE_COUNTERS": "no", "GRAPHITE_HOST": "127.0.0.2"}
MEMORY_MAX_MB = 32
TASKS_MAX = 6  # the five that there are, and one that looks a name up
LEFT_BYTES = 1 << 20
FLOOD_NAMES, FLOOD_LINES = 240000, 30  # in all, and of a datagram
KEPT = 1000
PATIENCE_S, STEP_S = 60, 0.5

# Where the service's lines go.
SINK = "/run/sink"
SINK_SOCKET = """[Socket]
ListenStream=127.0.0.2:2003
Accept=yes
[Install]
WantedBy=sockets.target
"""
SINK_SERVICE = f"""[Service]
ExecStart=/bin/cat
StandardInput=socket
StandardOutput=append:{SINK}
"""
# Takes all but a little of the memory that the service may have, until the kernel has killed for it:
# not this one.
HOG = f"""
sub text {{ open my $f, "<", "{GROUP}/$_[0]" or die $!; local $/; <$f> }}
sub put {{ open my $f, ">", $_[0] or die $!; print $f $_[1]; close $f or die $! }}
sub kills {{ text("memory.events") =~ /oom_kill (\\d+)/; $1 }}
my ($before, $held) = kills();
put("/proc/self/oom_score_adj", -1000);
put("{GROUP}/cgroup.procs", $$);
vec($held, text("memory.max") - text("memory.current") - {LEFT_BYTES}, 8) = 0;
select(undef, undef, undef, 0.01) until kills() > $before;
"""
FLOOD = """BEGIN {
    for (i = 0; i < names; i++) {
        printf "flood.of.names.that.are.long.%d:1|c\\n", i
        if (i % lines == lines - 1)
            fflush()
    }
}
"""
UNITS = "/etc/systemd/system"
FILES = {f"{UNITS}/sink.socket": SINK_SOCKET, f"{UNITS}/sink@.service": SINK_SERVICE,
         "/root/hog": HOG, "/root/flood": FLOOD}


def write(root, name, text):
    with open(os.path.join(root, name.lstrip("/")), "w", encoding="ascii") as file:
        file.write(text)


def furnish(root, deb):
    """The package, its settings, and what the tests need besides."""
    shutil.copy(deb, os.path.join(root, "root/pystatsd.deb"))
    subprocess.run(["chroot", root, "dpkg", "-i", "/root/pystatsd.deb"], check=True)
    for name, text in FILES.items():
        write(root, name, text)
    subprocess.run(["systemctl", "--root", root, "enable", "sink.socket"], check=True)
    with open(os.path.join(root, "etc/default/pystatsd"), "a", encoding="ascii") as file:
        file.writelines(f"{key}={value}\n" for key, value in SETTINGS.items())


class Guest:
    """The service in its machine."""

    def __init__(self, emulated_machine):
        self.machine = emulated_machine

    def run(self, command, check=True):
        return self.machine.run(command, check=check).stdout

    def allow(self, *properties):
        """What the kernel is to enforce from now on."""
        self.run(f"systemctl set-property --runtime pystatsd {' '.join(properties)}")

    def send(self, lines, n=1):
        """That, n times, each a datagram, is handed to the kernel."""
        self.run(f"bash -c 'for ((i = 0; i < {n}; i++)); do printf \"{lines}\"; done "
                 ">/dev/udp/127.0.0.1/8125'")

    def flood(self):
        """New names."""
        self.run(f"bash -c 'awk -v names={FLOOD_NAMES} -v lines={FLOOD_LINES} -f /root/flood "
                 ">/dev/udp/127.0.0.1/8125'")

    def series(self, name):
        """{timestamp: value} of what has arrived, each once however often it was sent."""
        lines = self.run(f"grep -as '^{name} ' {SINK}", check=False).splitlines()
        return {int(at): float(value) for _, value, at in map(str.split, lines)}

    def wait_sum(self, name, value):
        until(lambda: sum(self.series(name).values()) >= value, f"{value} of {name}",
              timeout=PATIENCE_S, step=STEP_S)
        assert sum(self.series(name).values()) == value

    def wait_served(self):
        """What is sent now arrives; it may be left out of a flush that is too large for the queue."""
        n = len(self.series("stats.served"))

        def is_served():
            self.send("served:1|c")
            return len(self.series("stats.served")) > n

        until(is_served, "a metric", timeout=PATIENCE_S, step=STEP_S)

    def pids(self):
        """{name: pid} of the service's processes. A child bears its parent's name at first."""
        said = self.run(f"cd /proc && for pid in $(cat {GROUP}/cgroup.procs); do "
                        "echo $(cat $pid/comm) $pid; done 2>/dev/null", check=False)
        words = [line.split() for line in said.splitlines()]
        found = sorted(((it[0], int(it[1])) for it in words if len(it) == 2), reverse=True)
        return dict(found)  # of equal names the first process

    def wait_up(self):
        names = {"pystatsd-master", "pystatsd-worker", "pystatsd-sender"}
        return until(lambda: self.pids() if set(self.pids()) == names else None, "three processes",
                     timeout=PATIENCE_S, step=STEP_S)

    def count(self, file, event):
        """Of a file of the group's events."""
        return int(self.run(f"sed -n 's/^{event} //p' {GROUP}/{file}"))

    def n_restarts(self):
        """How often systemd had to start it again."""
        return int(self.run("systemctl show pystatsd -P NRestarts"))


@pytest.fixture(scope="module")
def guest(workshop, built):
    """The package in a machine whose kernel enforces what a unit says."""
    if emulated.missing() or machine.missing():
        pytest.skip(emulated.missing() or machine.missing())
    root, boot = os.path.join(workshop, "root-emulated"), os.path.join(workshop, "kernel")
    os.mkdir(boot)
    try:
        machine.make_root(root, "systemd", package.needed([built.deb]),
                          hook=emulated.kernel_hook(boot))
    except machine.NoDebian as error:
        pytest.skip(f"no Debian to install it on: {error}")
    furnish(root, built.deb)
    made = emulated.Emulated(root, emulated.unpack_kernel(boot), root + ".log")
    try:
        yield Guest(made.start())
    finally:
        made.stop()
        shutil.rmtree(root)


def test_metrics_arrive(guest):
    guest.wait_up()
    guest.wait_served()


def test_master_is_the_last_to_be_killed(guest):
    scores = {name: guest.run(f"cat /proc/{pid}/oom_score_adj").strip()
              for name, pid in guest.wait_up().items()}
    assert scores == {"pystatsd-master": "-500", "pystatsd-worker": "0", "pystatsd-sender": "0"}


def test_no_more_processes(guest):
    guest.allow(f"TasksMax={TASKS_MAX}")
    pids = guest.wait_up()
    guest.run(f"kill -9 {pids['pystatsd-worker']} {pids['pystatsd-sender']}")
    guest.wait_up()
    guest.wait_served()
    assert guest.count("pids.events", "max") == 0


def test_address_that_is_denied(guest):
    """As if carbon were away: kept, and delivered later."""
    guest.allow(f"IPAddressDeny={SETTINGS['GRAPHITE_HOST']}")
    guest.send("denied:1|c")
    until(lambda: "does not take" in guest.run("journalctl -q -u pystatsd -n 1"), "a word of it",
          timeout=PATIENCE_S, step=STEP_S)
    assert not guest.series("stats.denied")
    guest.allow("IPAddressDeny=")
    guest.wait_sum("stats.denied", 1)


@pytest.fixture
def tight(guest):
    """The service with less memory than its settings allow it."""
    guest.allow(f"MemoryMax={MEMORY_MAX_MB}M", "MemorySwapMax=0")
    guest.run("systemctl restart pystatsd")
    guest.wait_up()
    return guest


def test_killed_for_memory(tight):
    """A child, whoever has taken the memory: the largest, as a rule the worker. The service goes on,
    and nothing that it had is lost."""
    pids, n_restarts = tight.pids(), tight.n_restarts()
    tight.send("kept:1|c", KEPT)
    tight.run("perl /root/hog & hog=$!; until grep -q $hog " f"{GROUP}/cgroup.procs; do :; done")
    tight.flood()
    until(lambda: tight.count("memory.events", "oom_kill"), "a kill", timeout=PATIENCE_S,
          step=STEP_S)
    now = tight.wait_up()
    assert now != pids and now["pystatsd-master"] == pids["pystatsd-master"]
    tight.wait_sum("stats.kept", KEPT)
    tight.wait_served()
    assert tight.n_restarts() == n_restarts
    assert tight.run("systemctl is-active pystatsd").strip() == "active"


def test_names_without_end(tight):
    """They are refused before the kernel has to kill for them, and what is there goes on."""
    pids = tight.pids()
    tight.flood()
    until(lambda: tight.series("statsd.refused.memory"), "a refusal", timeout=PATIENCE_S,
          step=STEP_S)
    tight.wait_served()
    assert tight.count("memory.events", "oom_kill") == 0
    assert tight.pids() == pids
