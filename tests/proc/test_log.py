"""Where messages go, and that nobody who does not take them holds anything up."""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import subprocess
import threading

import pytest

from lib.daemon import IS_ROOT
from lib.wait import until

F_SETPIPE_SZ = 1031
N_BAD, PER_DATAGRAM = 100_000, 100

# In a mount namespace of its own, with sockets of ours in the place of the system's.
WITH_SOCKETS = """
mount -t tmpfs none /run && mkdir -p /run/systemd/journal && mount -t tmpfs none "$0/dev" || exit
for name in null zero full random urandom; do cp -a /dev/$name "$0/dev/" || exit; done
mount --move "$0/dev" /dev || exit
for name in "$0"/socket-*; do
    case $name in
    *-journal) ln -s "$name" /run/systemd/journal/socket ;;
    *-syslog) ln -s "$name" /dev/log ;;
    esac
done
exec "$@"
"""


class Listener:
    """A socket in the place of a logger's, with all messages that it has taken so far. It holds no
    more than ten that nobody has read, so that they are read as they come, unless it is idle."""

    def __init__(self, place, name, kind=socket.SOCK_DGRAM, is_idle=False):
        self.socket = socket.socket(socket.AF_UNIX, kind)
        self.path = os.path.join(place, f"socket-{name}")
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.messages = []
        self._reader = threading.Thread(target=self._read)
        if not is_idle:
            self._reader.start()

    def _read(self):
        while message := self.socket.recv(65536):
            self.messages.append(message.decode("ascii"))

    def close(self):
        if self._reader.is_alive():
            self.socket.shutdown(socket.SHUT_RD)
            self._reader.join()
        self.socket.close()


@pytest.fixture
def listeners(place):
    """A factory of listeners; what is started by their wrapper then finds them where the system's are."""
    made = []
    os.mkdir(os.path.join(place, "dev"))

    def make(name, **kwargs):
        made.append(Listener(place, name, **kwargs))
        return made[-1]

    if not IS_ROOT:
        pytest.skip("takes root: a mount namespace")
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("takes a mount namespace, which a chroot has not")
    make.wrapper = ["unshare", "-m", "sh", "-c", WITH_SOCKETS, place]
    yield make
    for listener in made:
        listener.close()


def flood(daemon):
    """Bad lines, each logged at debug level, among good ones that must all be there."""
    bad = "\n".join("no metric at all" for _ in range(PER_DATAGRAM))
    for i in range(N_BAD // PER_DATAGRAM):
        daemon.send(f"{bad}\nnumber:{i}|g\ncount:1|c\ntime:{i}|ms")
        if i % 50 == 49:
            wait_read(daemon)


def wait_read(daemon):
    """Until the worker has read what was sent: the kernel must have nothing to drop."""

    def queued():
        with open("/proc/net/udp", encoding="ascii") as file:
            rows = [line.split() for line in list(file)[1:]]
        return [row[4] for row in rows if int(row[1].split(":")[1], 16) == daemon.port]

    until(lambda: all(int(it.split(":")[1], 16) == 0 for it in queued()), "the worker to read")


def assert_exact(daemon, sink):
    """The flood, whole, although nobody takes a message; and nothing was restarted."""
    n = N_BAD // PER_DATAGRAM
    flood(daemon)
    sink.wait_total("stats.count", n)
    sink.wait_total("statsd.bad_lines_seen", N_BAD)
    assert sink.total("stats.count") == n
    assert sink.total("statsd.bad_lines_seen") == N_BAD
    assert sink.total("stats.timers.time.count") == n
    assert sink.last("stats.number") == n - 1
    assert sink.last("statsd.restarts.worker") == sink.last("statsd.restarts.sender") == 0


SETTINGS = {"AGGREGATE_COUNTERS": "no", "LOG_LEVEL": "debug"}


def fill(fd):
    """Until it takes nothing more; the daemon gets it as it was, to be waited for."""
    os.set_blocking(fd, False)
    has_room = True
    while has_room:
        try:
            os.write(fd, b"filled\n")
        except BlockingIOError:  # a terminal moves what it has got a little later
            has_room = select.select([], [fd], [], 0.2)[1]
    os.set_blocking(fd, True)
    return fd


def blocked_pipe():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    return fill(writer), [reader]


def blocked_socket():
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return fill(theirs.detach()), [ours.detach()]


def blocked_terminal():
    terminal, side = pty.openpty()
    return fill(side), [terminal]


def full_disk():
    return os.open("/dev/full", os.O_WRONLY), []


BLOCKED = [blocked_pipe, blocked_socket, blocked_terminal, full_disk]


@pytest.mark.parametrize("as_nobody", [False, True], ids=["as root", "as nobody"])
@pytest.mark.parametrize("make", BLOCKED, ids=lambda it: it.__name__)
def test_nobody_reads_stderr(make, as_nobody, daemons, sink):
    """As nobody, the daemon may not open it anew; it is root's."""
    fd, others = make()
    try:
        daemon = daemons(sink, SETTINGS, as_nobody=as_nobody, stderr=fd)
        assert_exact(daemon, sink)
        assert daemon.stop() == 0
    finally:
        for it in [fd, *others]:
            os.close(it)


@pytest.mark.parametrize("make", BLOCKED, ids=lambda it: it.__name__)
def test_nobody_reads_the_flushes(make, daemons, sink):
    """What --debug prints is cut short, and nothing else is."""
    fd, others = make()
    try:
        daemon = daemons(sink, {"AGGREGATE_COUNTERS": "no"}, args=["--debug"], stdout=fd)
        for i in range(8):
            daemon.send(f"count:1|c\nstep{i}:1|c")
            sink.wait_total(f"stats.step{i}", 1)
        assert sink.total("stats.count") == 8
        assert sink.last("statsd.restarts.sender") == sink.last("statsd.restarts.worker") == 0
        assert len(daemon.warnings("cannot print a flush")) == 1
        assert daemon.stop() == 0
    finally:
        for it in [fd, *others]:
            os.close(it)


def test_what_is_lost_is_told(daemons, sink):
    """Once somebody reads again, in whole lines, and although nothing else is to be told."""
    fd, (reader,) = blocked_pipe()
    daemon = daemons(sink, SETTINGS, stderr=fd)
    os.close(fd)
    flood(daemon)
    os.set_blocking(reader, False)
    text = b""

    def told():
        nonlocal text
        try:
            text += os.read(reader, 65536)
        except BlockingIOError:
            pass  # read to its end
        return re.search(rb"\[WARNING\] worker: [1-9][0-9]* messages could not be logged\n", text)

    until(told, "the loss to be told")
    for line in text.splitlines():
        assert line == b"filled" or re.match(rb"[0-9-]{10} [0-9:]{8},[0-9]{3} \[[A-Z]+\] [ -~]+$", line), line
    os.close(reader)


def test_stderr_of_the_journal(daemons, sink, place):
    path = os.path.join(place, "stream")
    fd = os.open(path, os.O_RDWR | os.O_CREAT)
    status = os.fstat(fd)
    stream = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
    daemon = daemons(sink, SETTINGS, stderr=fd, environment=stream)
    daemon.send("no metric at all")
    sink.wait_total("statsd.bad_lines_seen", 1)
    assert daemon.stop() == 0
    lines = os.pread(fd, 65536, 0).decode("ascii").splitlines()
    os.close(fd)
    assert all(re.match(r"<[3-7]>(master|worker|sender|resolver): ", line) for line in lines), lines
    assert "<6>master: stopped" in lines
    assert any(line.startswith("<7>worker: bad line from 127.0.0.1") for line in lines)


def fields(message):
    """What a journal would have of it."""
    return dict(line.split("=", 1) for line in message.splitlines())


def test_journal(daemons, sinks, listeners):
    journal = listeners("journal")
    sink = sinks(listening=False)
    daemon = daemons(sink, {**SETTINGS, "LOG": "journal"}, wrapper=listeners.wrapper)
    daemon.send("a.name:x|c")

    def have(text):
        entries = [fields(it) for it in journal.messages]
        return next((it for it in entries if text in it["MESSAGE"]), None)

    bad = until(lambda: have("bad line from"), "the bad line")
    assert bad["PYSTATSD_REASON"] == "bad_value" and bad["PYSTATSD_PROCESS"] == "worker"
    assert bad["PYSTATSD_PEER"].startswith("127.0.0.1:") and bad["PRIORITY"] == "7"
    carbon = until(lambda: have("does not take flushes"), "the outage")
    assert carbon["PYSTATSD_PEER"].endswith(f":{sink.port}") and carbon["PRIORITY"] == "4"
    assert "refused" in carbon["PYSTATSD_REASON"] and carbon["PYSTATSD_PROCESS"] == "sender"
    os.kill(daemon.child("worker"), signal.SIGKILL)
    death = until(lambda: have("died"), "the death")
    assert death["PYSTATSD_NAME"] == "worker" and death["PYSTATSD_PROCESS"] == "master"
    assert all(it["SYSLOG_IDENTIFIER"] == "pystatsd-server" for it in map(fields, journal.messages))
    assert daemon.log == ""
    sink.listen()


def test_syslog(daemons, sink, listeners):
    syslog = listeners("syslog")
    daemon = daemons(sink, {"LOG": "syslog"}, wrapper=listeners.wrapper)
    head = rf"<30>[A-Z][a-z]{{2}} [ 1-3][0-9] [0-9:]{{8}} pystatsd-server\[{daemon.pid}\]: master: "
    until(lambda: any(re.match(head + "serving udp", it) for it in syslog.messages), "the start")
    assert daemon.log == ""


# What a stranger may send to break out of its line, its field or its datagram.
HOSTILE = [b"x\nMESSAGE=forged|c", b"\x00\x1b[2J\x7f\xff\xc3:b|c", b"back\\x0aslash:z|c",
           b"<0>Nov 23 00:00:00 init: " + b"A" * 9000, b"%s%n%s\r\r:q|c", b"\"quoted\":z|c"]


@pytest.mark.parametrize("name", ["journal", "syslog"])
def test_hostile_bytes(daemons, sink, listeners, name):
    """They arrive escaped and cut, each in a message of its own, whose head and fields are ours."""
    listener = listeners(name)
    daemon = daemons(sink, {**SETTINGS, "LOG": name}, wrapper=listeners.wrapper)
    daemon.send(*HOSTILE)

    def bad():
        return [it for it in listener.messages if "bad line from 127.0.0.1" in it]

    until(lambda: len(bad()) >= len(HOSTILE), "the bad lines")
    head = {"journal": "PRIORITY=7\nSYSLOG_FACILITY=3\nSYSLOG_IDENTIFIER=pystatsd-server\n",
            "syslog": "<31>"}[name]
    for message in listener.messages:
        assert len(message) < 2048, message
        assert re.fullmatch(r"[ -~\n]*", message), repr(message)
        lines = message.splitlines()
        assert message.startswith(head) or "bad line" not in message, message
        if name == "journal":
            assert all(re.match(r"[A-Z_]+=", it) for it in lines), message
            assert sum(it.startswith("MESSAGE=") for it in lines) == 1, message
        else:
            assert len(lines) == 1, message
    shown = "\n".join(bad())
    assert r"\x00\x1b[2J\x7f\xff\xc3:b|c" in shown
    assert r"back\\x0aslash:z|c" in shown
    assert r"%s%n%s" in shown
    assert "A" * 60 in shown and "A" * 121 not in shown
    assert daemon.log == ""


def test_logger_that_starts_anew(daemons, sink, listeners):
    """What is logged meanwhile is lost, what comes behind is not."""
    first = listeners("journal")
    daemon = daemons(sink, {**SETTINGS, "LOG": "journal"}, wrapper=listeners.wrapper)
    first.close()
    os.unlink(first.path)
    for _ in range(10):
        daemon.send("no metric at all")
    sink.wait_total("statsd.bad_lines_seen", 10)
    second = listeners("journal")

    def told():
        return any("messages could not be logged" in it for it in second.messages)

    until(told, "the loss to be told")
    daemon.send("no metric at all")
    until(lambda: any("bad line" in it for it in second.messages), "what comes behind")


@pytest.mark.parametrize("name", ["journal", "syslog"])
def test_logger_that_does_not_read(daemons, sink, listeners, name):
    listener = listeners(name, is_idle=True)
    daemon = daemons(sink, {**SETTINGS, "LOG": name}, wrapper=listeners.wrapper)
    assert_exact(daemon, sink)
    assert daemon.stop() == 0
    assert listener.socket.recv(65536)


@pytest.mark.parametrize("name", ["journal", "syslog"])
def test_no_logger(daemons, sink, listeners, name):
    daemon = daemons(sink, {"LOG": name}, wrapper=listeners.wrapper)
    assert len(daemon.log.splitlines()) == 1
    assert re.search(r"\[WARNING\] master: nobody takes datagrams at /.* messages are lost", daemon.log)


def test_logger_of_another_kind(daemons, sink, listeners):
    """Nothing that is sent would ever arrive: that is said where it still can be."""
    syslog = listeners("syslog", kind=socket.SOCK_STREAM, is_idle=True)
    syslog.socket.listen()
    daemon = daemons(sink, {"LOG": "syslog"}, wrapper=listeners.wrapper)
    assert len(daemon.log.splitlines()) == 1
    assert re.search(r"\[WARNING\] master: nobody takes datagrams at /dev/log \(.*wrong type", daemon.log)


# All that a day may bring at info level, where nothing is amiss.
QUIET = [
    r"starting up on port N",
    r"(running as|not started as root: staying) uid N.*",
    r"udp \S+ the kernel granted a receive buffer of N bytes",
    r"serving udp port N, sending to \S+",
    r"reading the configuration again",
    r"carbon \S+ takes flushes again, after N s",
    r"stopping: delivering what is left, for up to N s",
    r"ledger: received N = .*",
    r"stopped",
]


def test_quiet_day(daemons, sink):
    """Start, stop, reload, connection lost and found: each once, and nothing else."""
    daemon = daemons(sink, {"RECEIVE_BUFFER": "64K"})
    for i in range(3):
        daemon.send("count:1|c\ntime:5|ms\nlevel:7|g\nset:a|s", f"new{i}:1|c", "no metric at all")
        sink.wait_batches(i + 1)
    before = len(daemon.log.splitlines())
    sink.wait_batches(len(sink.batches) + 2)
    assert len(daemon.log.splitlines()) == before, "a flush is no news"
    daemon.tell(signal.SIGHUP)
    until(lambda: daemon.log.count("serving udp") == 2, "the reload")
    sink.refuse()
    until(lambda: daemon.warnings("does not take flushes"), "the outage")
    sink.listen()
    until(lambda: "takes flushes again" in daemon.log, "its end")
    assert daemon.stop() == 0
    told = {re.sub(r"^\[INFO\] \w+: ", "", it): n for it, n in daemon.told().items() if "[INFO]" in it}
    for line, n in told.items():
        assert any(re.fullmatch(it, line) for it in QUIET), line
        assert n == (2 if line.startswith("serving") else 1), line
    assert len(daemon.warnings()) == 1, daemon.log
