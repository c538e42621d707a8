"""What /proc says of processes. Never signals anything that it was not given."""

import errno
import itertools
import os
import random
import re
import socket

from lib.wait import until

# Below those that the kernel gives away.
PORTS_FROM, PORTS_EACH, PORT_RANGES = 12000, 2000, 10
TCP_PORTS = itertools.count(random.SystemRandom().randrange(PORTS_EACH))


def stat(pid):
    """(comm, state, ppid, pgid) of a process, None where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            text = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    comm = text[text.index("(") + 1 : text.rindex(")")]
    state, ppid, pgid = text[text.rindex(")") + 2 :].split()[:3]
    return comm, state, int(ppid), int(pgid)


def processes():
    """{pid: (comm, state, ppid, pgid)} of all that live; a zombie does not."""
    found = {int(name): stat(name) for name in os.listdir("/proc") if name.isdigit()}
    return {pid: it for pid, it in found.items() if it and it[1] not in "ZX"}


def children(pid):
    return {child: it[0] for child, it in processes().items() if it[2] == pid}


def children_now(pid):
    """The same, without looking at every process of the machine where the kernel can tell."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            pids = [int(word) for word in file.read().split()]
    except FileNotFoundError:
        return children(pid)
    found = {child: stat(child) for child in pids}
    return {child: it[0] for child, it in found.items() if it and it[1] not in "ZX"}


def group(pgid):
    return {pid: it[0] for pid, it in processes().items() if it[3] == pgid}


def alive(pid):
    it = stat(pid)
    return it is not None and it[1] not in "ZX"


def wait_gone(pids, what="processes to end"):
    until(lambda: not any(alive(pid) for pid in pids), what)


def wait_stopped(pid):
    until(lambda: stat(pid)[1] == "T", f"{pid} to be stopped")


def status(pid):
    """/proc/PID/status as {key: text}."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return dict(re.split(r":\s*", line.rstrip("\n"), maxsplit=1) for line in file)


def descriptors(pid):
    """{fd: (link, flags as of open(2))} of a process. PermissionError where one may not look."""
    found = {}
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        try:
            link = os.readlink(f"/proc/{pid}/fd/{fd}")
            with open(f"/proc/{pid}/fdinfo/{fd}", encoding="ascii") as file:
                flags = int(re.search(r"flags:\s*([0-7]+)", file.read()).group(1), 8)
        except FileNotFoundError:
            continue
        found[fd] = (link, flags)
    return found


def socket_inodes(table):
    """The inodes of the sockets in /proc/net/TABLE ("udp", "tcp6", …)."""
    try:
        with open(f"/proc/net/{table}", encoding="ascii") as file:
            return {line.split()[9] for line in list(file)[1:]}
    except FileNotFoundError:
        return set()


def udp_port_bound(port):
    """Whether some socket on this machine is bound to the UDP port."""
    for table in ("udp", "udp6"):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                bound = [line.split()[1].rsplit(":", 1)[1] for line in list(file)[1:]]
        except FileNotFoundError:
            continue
        if port in (int(number, 16) for number in bound):
            return True
    return False


def udp_queued(port):
    """Bytes that wait in the IPv4 sockets of a UDP port, as the kernel counts them."""
    with open("/proc/net/udp", encoding="ascii") as file:
        rows = [line.split() for line in list(file)[1:]]
    return sum(
        int(row[4].split(":")[1], 16) for row in rows if int(row[1].rsplit(":", 1)[1], 16) == port
    )


def first_port():
    """Of this process's own range."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    return PORTS_FROM + number % PORT_RANGES * PORTS_EACH


def free_udp_port():
    """A UDP port that nobody had a moment ago. Each of several processes of one run has a range of
    its own, none of which the kernel gives away: what a test sends to a server that is gone must not
    arrive at another's."""
    first = first_port()
    while True:
        port = random.SystemRandom().randrange(first, first + PORTS_EACH)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def hold_udp_port(port=0):
    """A socket that has a UDP port of 127.0.0.1 for itself; 0: some free one."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    holder.bind(("127.0.0.1", port))
    return holder


def free_tcp_port():
    """A TCP port of 127.0.0.1 that nobody had a moment ago, of the same range, and none twice: two
    that are not used yet must not be one."""
    first = first_port()
    while True:
        port = first + next(TCP_PORTS) % PORTS_EACH
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False
