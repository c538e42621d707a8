"""Sockets that outlive the daemon: kept by a service manager, or opened by it."""

import os
import re
import signal
import socket

import pytest

from lib import proc
from lib.daemon import EX_CONFIG, installed
from lib.manager import Manager
from lib.wait import until

N = 500
OVERFLOW = 5000


@pytest.fixture
def managers():
    made = []

    def make(*args, **kwargs):
        made.append(Manager(*args, **kwargs))
        return made[-1]

    yield make
    for manager in made:
        manager.close()


class Service:
    """One daemon after the other on one port, by one manager."""

    def __init__(self, daemons, sink, manager, **settings):
        self._daemons, self._sink = daemons, sink
        self.manager = manager
        self.settings = {"LOCAL_PYSTATD_PORT": proc.free_udp_port(), "AGGREGATE_COUNTERS": "no",
                         **settings}
        self.daemon = None

    def start(self, wait=True):
        made = self._daemons(self._sink, self.settings, start=False, manager=self.manager.renew())
        self.daemon = made.start(wait)
        return self.daemon


@pytest.fixture
def service(daemons, sink, managers, place):
    """Its state outlives it, as that of the installed one."""
    return Service(daemons, sink, managers(), STATE_DIR=os.path.join(place, "state"))


def kill(daemon):
    children = proc.children(daemon.pid)
    daemon.tell(signal.SIGKILL)
    daemon.wait()
    proc.wait_gone(children)


def stop(daemon):
    assert daemon.stop() == 0


def dropped(daemon):
    """What the kernel has dropped, as the ledger of a clean stop says."""
    return int(re.findall(r"kernel drops (\d+)", daemon.log)[-1])


@pytest.mark.parametrize("end", [stop, kill])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_what_is_sent_in_between_is_received(service, sink, end, n_threads):
    service.settings["THREADS"] = n_threads
    for turn in range(3):
        daemon = service.start()
        assert len(service.manager.kept) == n_threads
        assert ("going on with" in daemon.log) == (turn > 0)
        end(daemon)
        for _ in range(N):
            daemon.send("between:1|c")
    service.start()
    assert sink.wait_total("stats.between", 3 * N) == 3 * N


def test_what_does_not_fit_is_closed(service, sink):
    """Other threads, other addresses: the old sockets are in nobody's way."""
    service.settings.update(THREADS=3, LISTEN_ADDRESS="0.0.0.0")
    stop(service.start())
    assert len(service.manager.kept) == 3
    service.settings.update(THREADS=1)
    stop(service.start())
    assert len(service.manager.kept) == 1
    service.settings.update(THREADS=2)
    stop(service.start())
    assert len(service.manager.kept) == 2
    service.settings.update(LISTEN_ADDRESS="127.0.0.1")
    daemon = service.start()
    assert "going on with" not in daemon.log
    assert len(service.manager.kept) == 2
    daemon.send("c:1|c")
    assert sink.wait_total("stats.c", 1) == 1


def test_another_buffer(service):
    """What a socket may hold is set anew."""
    service.settings.update(RECEIVE_BUFFER="64K")
    stop(service.start())
    service.settings.update(RECEIVE_BUFFER="128K")
    assert "a receive buffer of 131072 bytes" in service.start().log


@pytest.mark.parametrize("has_state", [True, False])
def test_drops_are_counted_once(service, sink, has_state):
    """The kernel's count of a socket that is kept goes on."""
    service.settings.update(RECEIVE_BUFFER="4K", STATE_DIR=service.settings["STATE_DIR"] * has_state)
    daemon = service.start()
    stop(daemon)
    assert dropped(daemon) == 0
    for _ in range(OVERFLOW):
        daemon.send("c:1|c")
    daemon = service.start()
    stop(daemon)
    n_received = sink.total("stats.c")
    assert 0 < n_received < OVERFLOW
    # The ledger is of all runs with one state. Without, nobody knows what was told before.
    expected = OVERFLOW - n_received if has_state else 0
    assert dropped(daemon) == expected
    daemon = service.start()
    stop(daemon)
    assert dropped(daemon) == expected


def bound(kind=socket.SOCK_DGRAM, family=socket.AF_INET, address="127.0.0.1"):
    made = socket.socket(family, kind)
    made.bind((address, 0))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


@pytest.mark.parametrize("n_threads", [1, 2])
def test_own_sockets_of_the_manager(daemons, sink, managers, place, n_threads):
    """They come first, and are not given back; what more threads need is."""
    own = bound()
    manager = managers({"statsd": own})
    service = Service(daemons, sink, manager, THREADS=n_threads, STATE_DIR=f"{place}/state")
    for turn in range(2):
        daemon = service.start()
        assert daemon.log.count("LISTEN_ADDRESS and LOCAL_PYSTATD_PORT are not looked at") == 1
        assert f"serving udp port {own.getsockname()[1]}," in daemon.log
        assert not proc.udp_port_bound(service.settings["LOCAL_PYSTATD_PORT"])
        assert len(manager.kept) == n_threads - 1
        daemon.port = own.getsockname()[1]
        stop(daemon)
        for _ in range(N):
            daemon.send("own:1|c")
    service.start()
    assert sink.wait_total("stats.own", 2 * N) == 2 * N


@pytest.mark.skipif(not proc.have_ipv6(), reason="no IPv6 here")
def test_own_socket_of_both_families(daemons, sink, managers):
    """As systemd opens it where a unit names a port alone; so do those of further threads."""
    own = bound(family=socket.AF_INET6, address="::")
    service = Service(daemons, sink, managers({"statsd": own}), THREADS=2)
    daemon = service.start()
    daemon.port = own.getsockname()[1]
    for _ in range(100):  # each from a port of its own
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"v4:1|c", ("127.0.0.1", daemon.port))
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
            client.sendto(b"v6:1|c", ("::1", daemon.port))
    assert sink.wait_total("stats.v4", 100) == sink.wait_total("stats.v6", 100) == 100


@pytest.mark.parametrize("make", [
    lambda: bound(socket.SOCK_STREAM),
    lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    lambda: open("/dev/null", "rb"),
], ids=["tcp", "unix", "unbound", "file"])
def test_what_is_no_udp_socket(daemons, managers, make):
    service = Service(daemons, None, managers({"statsd": bound(), "other": make()}))
    daemon = service.start(wait=False)
    assert daemon.wait() == EX_CONFIG
    assert "descriptor 4 that the service manager has opened is no bound UDP socket" in daemon.log


def test_more_sockets_than_threads(daemons, managers):
    """One that nobody reads would swallow a part of what is sent."""
    first, second = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    for it in (first, second):
        it.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        it.bind(first.getsockname() if it is second else ("127.0.0.1", 0))
    service = Service(daemons, None, managers({"a": first, "b": second}))
    daemon = service.start(wait=False)
    assert daemon.wait() == EX_CONFIG
    assert "more sockets for udp 127.0.0.1:" in daemon.log and "set THREADS" in daemon.log


def test_background(daemons, sink, managers):
    """With -D, too, it is the daemon that has them."""
    own = bound()
    service = Service(daemons, sink, managers({"statsd": own}))
    daemon = service.start()
    links = [link for link, _ in proc.descriptors(daemon.pid).values()]
    assert f"socket:[{os.fstat(own.fileno()).st_ino}]" in links


@pytest.mark.skipif(not installed("systemd-socket-activate"), reason="systemd is not installed")
def test_socket_activation(daemons, sink):
    """The datagram that starts the daemon is its first."""
    port = proc.free_udp_port()
    wrapper = ["systemd-socket-activate", "-d", "-l", f"127.0.0.1:{port}", "-E", "NOTIFY_SOCKET"]
    daemon = daemons(sink, {"LOCAL_PYSTATD_PORT": 1, "AGGREGATE_COUNTERS": "no"}, start=False,
                     wrapper=wrapper).start(wait=False)
    daemon.port = port
    until(lambda: proc.udp_port_bound(port), "the socket")
    daemon.send("first:1|c")
    until(lambda: daemon.notify.count("READY=1"), "the daemon to be ready")
    for _ in range(9):
        daemon.send("first:1|c")
    assert sink.wait_total("stats.first", 10) == 10
