"""The `pystatsd` command from outside: bytes on the wire, exit statuses, what a terminal shows, and
daemons that are slow, absent, or none."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import threading
import time

import pytest

from lib.admin import Admin, ranking, status
from lib.daemon import BUILD
from lib.proc import free_udp_port
from lib.wait import PATIENCE_S, until

COMMAND = os.path.join(BUILD, "pystatsd")
SO_RCVBUFFORCE = 33  # of Linux; Python has no name for it
ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>78])")


def clean_environment(**more):
    """Without what decides where to ask and how to show."""
    unwanted = ("PYSTATSD_ADMIN_SOCKET", "NO_COLOR", "LINES", "COLUMNS")
    kept = {key: value for key, value in os.environ.items() if key not in unwanted}
    return {**kept, "TERM": "xterm", **more}


def run(*args, text=None, timeout=PATIENCE_S, program=COMMAND, **env):
    return subprocess.run([program, *map(str, args)], input=text, capture_output=True, text=True,
                          errors="replace", timeout=timeout, env=clean_environment(**env),
                          check=False)


def enlarge(receiver):
    """The buffer that the server has by default, as far as one may: a test on a busy machine is no
    server, and slow to read."""
    option = SO_RCVBUFFORCE if os.geteuid() == 0 else socket.SO_RCVBUF
    receiver.setsockopt(socket.SOL_SOCKET, option, 16 << 20)


@pytest.fixture
def receiver():
    """A UDP socket that takes what is sent, and never blocks a test for long."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        enlarge(made)
        made.bind(("127.0.0.1", 0))
        made.settimeout(PATIENCE_S)
        yield made


@pytest.fixture
def admins(place):
    """A factory of fake daemons."""
    made = []

    def make(**answers):
        made.append(Admin(os.path.join(place, f"admin{len(made)}"), **answers))
        return made[-1]

    yield make
    for admin in made:
        admin.close()


def to(receiver):
    return ["--host", "127.0.0.1", "--port", receiver.getsockname()[1]]


# --- sending

@pytest.mark.parametrize("args, sent", [
    (["increment", "a.b"], "a.b:1|c"),
    (["increment", "a", "2.5"], "a:2.5"),
    (["decrement", "a", "7"], "a:-7|c"),
    (["timing", "t", "12.5"], "t:12.500000|ms"),
    (["gauge", "g", "-5"], "g:-5.000000|g"),
    (["gauge", "g", "-5", "--delta"], "g:-5.000000|g"),
    (["gauge", "g", "5", "--delta"], "g:+5.000000|g"),
    (["set", "s", "me"], "s:me|s"),
    (["increment", "a b:c|d\ne"], "a_bcd_e:1|c"),
    (["increment", "a", "--prefix", "x.y", "--tag", "k:v", "--tag", "w"], "x.y.a:1|c|#k:v,w"),
])
def test_bytes(args, sent, receiver):
    done = run(*args, *to(receiver))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert receiver.recv(2048).decode().startswith(sent)
    receiver.setblocking(False)
    with pytest.raises(BlockingIOError):
        receiver.recv(2048)


def test_unix_socket(place):
    path = os.path.join(place, "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        assert run("increment", "a", "--unix", path).returncode == 0
        assert receiver.recv(2048) == b"a:1|c"
    done = run("increment", "a", "--unix", os.path.join(place, "none"))
    assert done.returncode == 1 and "No such file" in done.stderr


def test_sample_rate(receiver):
    text = "".join(f"a:{i}|c\n" for i in range(2000))
    assert run("send", "--sample-rate", "0.5", *to(receiver), text=text).returncode == 0
    receiver.settimeout(0.5)
    lines = []
    with contextlib.suppress(TimeoutError):
        while True:
            lines += receiver.recv(2048).decode().splitlines()
    assert 800 < len(lines) < 1200
    assert all(line.endswith("|c|@0.5") for line in lines)


def test_no_such_host():
    """One that no name server need be asked for: where none answers, nobody can say."""
    done = run("increment", "a", "--host", "a..b")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "pystatsd: there is no host 'a..b': see --host\n"


def test_nobody_listens():
    done = run("send", "--host", "127.0.0.1", "--port", free_udp_port(),
               text="".join(f"name{i}:1|c\n" for i in range(20000)))
    assert done.returncode == 1
    assert "does a server listen there?" in done.stderr and "stopped at line" in done.stderr


# --- time

def test_time(receiver):
    done = run("time", *to(receiver), "t", "sh", "-c", "echo out; echo err >&2; sleep 0.1; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    ms = re.fullmatch(r"t:([0-9.]+)\|ms", receiver.recv(2048).decode()).group(1)
    assert 100 <= float(ms) < 1000 * PATIENCE_S


@pytest.mark.parametrize("command, expected", [
    (["sh", "-c", "kill -9 $$"], 128 + 9),
    (["/no/such/command"], 127),
    (["/etc"], 126),
])
def test_time_of_what_fails(command, expected, receiver):
    assert run("time", *to(receiver), "t", *command).returncode == expected
    receiver.setblocking(False)
    if expected > 128:
        assert b"|ms" in receiver.recv(2048)
    else:
        with pytest.raises(BlockingIOError):
            receiver.recv(2048)


def test_time_keeps_the_status_where_it_cannot_send():
    done = run("time", "--unix", "/no/such/socket", "t", "sh", "-c", "exit 5")
    assert done.returncode == 5 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "USR1"])
def test_time_hands_on_signals(name, receiver):
    argv = [COMMAND, "time", *map(str, to(receiver)), "t", "sh", "-c",
            f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.01; done"]
    number = signal.Signals[f"SIG{name}"]
    # What runs in the background ignores some of them.
    with subprocess.Popen(argv, stdout=subprocess.PIPE,
                          preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.wait(PATIENCE_S) == 9
    assert b"|ms" in receiver.recv(2048)


def test_time_where_children_are_ignored(receiver):
    """As some programs start others; the command still finds it so."""
    argv = [COMMAND, "time", *map(str, to(receiver)), "t", "grep", "SigIgn", "/proc/self/status"]
    done = subprocess.run(argv, stdout=subprocess.PIPE, timeout=PATIENCE_S, check=True,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert int(done.stdout.split()[1], 16) & 1 << signal.SIGCHLD - 1
    assert b"|ms" in receiver.recv(2048)


# --- send

class Counter(threading.Thread):
    """Counts what a socket gets, as a server that does nothing else would."""

    def __init__(self, receiver):
        super().__init__(daemon=True)
        self.receiver, self.lines, self.longest, self.datagrams = receiver, 0, 0, 0
        self.start()

    def run(self):
        while True:
            data = self.receiver.recv(65536)
            if data == b"end":
                return
            self.lines += data.count(b"\n") + (not data.endswith(b"\n"))
            self.longest = max(self.longest, len(data))
            self.datagrams += 1


def test_send_packs_and_keeps_its_pace(receiver):
    """No more than 7 MB a second, so that a server loses nothing, and nothing is lost here."""
    counter = Counter(receiver)
    text = "".join(f"some.name.that.is.usual.{i % 1000}:{i}|c\n" for i in range(200000))
    start = time.monotonic()
    done = run("send", *to(receiver), text=text)
    took = time.monotonic() - start
    assert (done.returncode, done.stderr) == (0, "")
    assert 0.95 * len(text) / 7e6 < took < PATIENCE_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"end", receiver.getsockname())
    counter.join(PATIENCE_S)
    assert counter.lines == 200000
    assert counter.longest <= 1432 and counter.datagrams < 200000 / 30


def test_send_does_not_keep_back_what_came(receiver):
    """Of a pipe that goes on: `tail -f | pystatsd send`."""
    argv = [COMMAND, "send", *map(str, to(receiver))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE) as process:
        for line in (b"a:1|c\n", b"b:2|c\n"):
            process.stdin.write(line)
            process.stdin.flush()
            assert receiver.recv(2048).rstrip() == line.rstrip()
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def test_send_waits_for_a_full_unix_socket(place):
    path = os.path.join(place, "socket")
    text = "".join(f"name{i}:1|c\n" for i in range(50000))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(PATIENCE_S)
        with subprocess.Popen([COMMAND, "send", "--unix", path], stdin=subprocess.PIPE) as process:
            writer = threading.Thread(target=process.communicate, args=(text.encode(),))
            writer.start()
            time.sleep(0.2)  # it fills the socket meanwhile, or the test proves less
            n = 0
            while n < 50000:
                n += len(receiver.recv(65536).split())
            writer.join()
        assert (n, process.returncode) == (50000, 0)


def test_the_last_of_send_waits_for_a_full_unix_socket(place):
    path = os.path.join(place, "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as filler:
        receiver.bind(path)
        receiver.settimeout(PATIENCE_S)
        filler.setblocking(False)
        n = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                filler.sendto(b"full", path)
                n += 1
        with subprocess.Popen([COMMAND, "send", "--unix", path], stdin=subprocess.PIPE) as process:
            process.stdin.write(b"a:1|c\n")
            process.stdin.close()
            with pytest.raises(subprocess.TimeoutExpired):
                process.wait(0.3)
            assert [receiver.recv(99) for _ in range(n + 1)] == [b"full"] * n + [b"a:1|c"]
        assert process.returncode == 0


def test_send_while_the_server_is_replaced(receiver):
    """One that takes its place gets what follows."""
    def takes(server, line):
        server.settimeout(PATIENCE_S)
        process.stdin.write(line)
        process.stdin.flush()
        return server.recv(2048).rstrip() == line.rstrip()

    address = receiver.getsockname()
    with subprocess.Popen([COMMAND, "send", *map(str, to(receiver))],
                          stdin=subprocess.PIPE) as process:
        assert takes(receiver, b"first:1|c\n")
        receiver.close()
        for number in range(3):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
                server.bind(address)
                assert takes(server, f"next{number}:1|c\n".encode())
        process.stdin.close()
        assert process.wait(PATIENCE_S) == 0


def test_send_of_what_does_not_block(receiver):
    """Standard input that somebody has made non-blocking, as ssh does, has no end yet."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    before = os.times()
    with subprocess.Popen([COMMAND, "send", *map(str, to(receiver))], stdin=ours) as process:
        os.close(ours)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.6)
        os.write(theirs, b"a:1|c\n")
        assert receiver.recv(2048).rstrip() == b"a:1|c"
        os.write(theirs, b"b:1|c")
        os.close(theirs)
        assert process.wait(PATIENCE_S) == 0
        assert receiver.recv(2048) == b"b:1|c"
    after = os.times()
    used_s = after.children_user + after.children_system - \
        before.children_user - before.children_system
    assert used_s < 0.3  # it does not spin meanwhile


def test_send_says_what_was_no_sample(receiver):
    done = run("send", *to(receiver), text="a:1|c\nnonsense\nb:1|c|@7\n")
    assert done.returncode == 1
    assert done.stderr == ("pystatsd: 2 of 3 lines are no samples and were left out, "
                           "the first is line 2\n")
    assert receiver.recv(2048).rstrip() == b"a:1|c"


# --- on a terminal

class Terminal:
    """A command in a terminal of some size."""

    def __init__(self, *args, rows=24, columns=80, stdin=None, **env):
        self.text = ""
        pid, self.fd = pty.fork()
        if pid == 0:
            try:
                if stdin is not None:
                    os.dup2(os.open(stdin, os.O_RDONLY) if isinstance(stdin, str) else stdin, 0)
                time.sleep(0.05)  # the size is set meanwhile; top would take it later as well
                os.execve(COMMAND, [COMMAND, *map(str, args)], clean_environment(**env))
            finally:  # or there were two of the test
                os._exit(127)
        self.pid = pid
        self.resize(rows, columns)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self):
        """All that was written so far, without escape sequences."""
        with contextlib.suppress(OSError):
            while select.select([self.fd], [], [], 0)[0]:
                data = os.read(self.fd, 65536)
                if not data:
                    break
                self.text += data.decode("ascii", "replace")
        return ESCAPES.sub("", self.text)

    def until(self, what):
        until(lambda: what in self.read(), f"{what!r} in {self.text!r}")

    def wait(self):
        """Its exit status, once it has ended."""
        found = []

        def ended():
            self.read()
            pid, status_word = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                found.append(os.waitstatus_to_exitcode(status_word))
            return bool(pid)

        until(ended, "the command to end")
        self.read()
        os.close(self.fd)
        return found[0]


def lines_of(text):
    return text.replace("\r", "").rstrip("\n").split("\n")


def test_status_on_a_terminal(admins):
    admin = admins(status=status(["the queue is half full"], state="warning"))
    terminal = Terminal("status", "--socket", admin.path)
    assert terminal.wait() == 0
    lines = lines_of(terminal.read())
    assert lines[0] == "pystatsd 1.0.0 is warning, up 2h 5m"
    assert lines[1] == "! the queue is half full"
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    assert "\x1b[1;33m" in terminal.text
    assert any(line.split()[:3] == ["bytes", "1.3", "MiB"] for line in lines)


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour(env, admins):
    terminal = Terminal("status", "--socket", admins().path, **env)
    assert terminal.wait() == 0
    assert "pystatsd 1.0.0 is ok" in terminal.text and "\x1b" not in terminal.text


def test_terminals_get_no_escape_sequences_of_others(admins):
    """Nor does a file lose any byte."""
    evil = "ok\n\x1b]0;owned\x07 \x9b31m name\n"
    admin = admins(list=evil.encode("latin-1"), explain=evil.encode("latin-1"),
                   config=evil.encode("latin-1"), watch=evil.encode("latin-1"),
                   get=evil.encode("latin-1"), reload="error \x1b[31mno\n",
                   status=status(["\x1b[5mblink"], listen="\x1b[31m"),
                   top="ok\nname 1 \x1b]0;owned\x07\n")
    for args in (["list"], ["explain", "x"], ["config"], ["watch"], ["get", "x"], ["reload"],
                 ["status"], ["status", "--check"], ["top", "--once"]):
        terminal = Terminal(*args, "--socket", admin.path, NO_COLOR="1")
        terminal.wait()
        assert "\\x1b" in terminal.text and "\x1b" not in terminal.text, args
    done = subprocess.run([COMMAND, "list", "--socket", admin.path], capture_output=True, check=True)
    assert done.stdout == evil[3:].encode("latin-1")


@pytest.mark.parametrize("rows, columns", [(24, 80), (60, 200), (10, 40), (3, 10)])
def test_top(rows, columns, admins):
    admin = admins()
    terminal = Terminal("top", "--socket", admin.path, rows=rows, columns=columns)
    terminal.until("pystatsd" if columns > 10 else "pys")
    until(lambda: ("top", admin.asked[-1][1]) in admin.asked, "top to ask")
    if columns >= 80:
        for what in ("BUSIEST NAMES", "BUSIEST SENDERS", "BUSIEST PREFIXES", "NEWEST NAMES",
                     "10.0.0.0", "shop.part0", "counter fresh.0", "q quits"):
            terminal.until(what)
    terminal.type("q")
    assert terminal.wait() == 0
    assert "\x1b[?1049l" in terminal.text  # the screen of before is back


@pytest.mark.parametrize("how, expected", [
    ("q", 0), ("\x03", 1), ("\x1c", 1), (signal.SIGTERM, 1), (signal.SIGQUIT, 1)], ids=repr)
def test_top_leaves_the_terminal_as_it_was(how, expected, admins):
    fresh = pty.openpty()
    before = termios.tcgetattr(fresh[0])
    terminal = Terminal("top", "--socket", admins().path)
    kept = os.dup(terminal.fd)
    terminal.until("BUSIEST NAMES")
    assert termios.tcgetattr(kept) != before
    if isinstance(how, str):
        terminal.type(how)
    else:
        os.kill(terminal.pid, how)
    ended = terminal.wait()
    after = termios.tcgetattr(kept)
    for number in (kept, *fresh):
        os.close(number)
    assert ended == expected
    assert after == before
    assert "\x1b[?1049l" in terminal.text


def test_top_goes_on_when_the_daemon_comes_back(place, admins):
    path = os.path.join(place, "gone")
    admin = Admin(path)
    terminal = Terminal("top", "--socket", path)
    terminal.until("BUSIEST NAMES")
    admin.close()
    terminal.until("no daemon answers")
    admin = Admin(path, top="ok\nname 5 came.back\n")
    try:
        terminal.type(" ")  # draws at once
        terminal.until("came.back")
        terminal.type("q")
        assert terminal.wait() == 0
    finally:
        admin.close()


def test_top_follows_the_size(admins):
    admin = admins()
    terminal = Terminal("top", "--socket", admin.path)
    until(lambda: ("top", "9") in admin.asked, "a request for 24 lines")
    terminal.resize(44, 100)
    os.kill(terminal.pid, signal.SIGWINCH)
    until(lambda: ("top", "19") in admin.asked, "a request for 44 lines")
    terminal.type("q")
    assert terminal.wait() == 0


def test_top_on_a_high_terminal(asked):
    """Of more lines than a daemon has names for."""
    daemon, _ = asked
    daemon.send("tall:1|c")
    terminal = Terminal("top", "--socket", daemon.settings["ADMIN_SOCKET"], rows=300, columns=160)
    terminal.until("BUSIEST SENDERS")
    assert "it takes" not in terminal.read()
    terminal.type("q")
    assert terminal.wait() == 0


def test_top_ends_with_its_terminal(admins):
    """Also where SIGHUP is ignored, as by nohup."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        terminal = Terminal("top", "--socket", admins().path)
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    terminal.until("BUSIEST NAMES")
    os.close(terminal.fd)
    ended = []
    try:
        until(lambda: ended.extend(os.waitpid(terminal.pid, os.WNOHANG)) or ended[-2] != 0,
              "top to end")
    finally:
        if not ended or ended[-2] == 0:
            os.kill(terminal.pid, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(ended[-1]) == 1


def test_top_on_a_terminal_of_no_known_kind(admins):
    terminal = Terminal("top", "--socket", admins().path, TERM="no-such-terminal")
    assert terminal.wait() == 0
    assert "BUSIEST SENDERS" in terminal.text


def test_top_once(admins):
    admin = admins()
    done = run("top", "-n", "3", PYSTATSD_ADMIN_SOCKET=admin.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("very.long") == 3 and "\x1b" not in done.stdout
    assert admin.asked == [("status", ""), ("top", "3")]
    assert len(lines_of(done.stdout)) == 1 + 4 * (2 + 3)


def test_progress_bar(place, receiver):
    path = os.path.join(place, "lines")
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"some.name.{i}:{i}|c\n" for i in range(100000))
    counter = Counter(receiver)
    terminal = Terminal("send", *to(receiver), stdin=path)
    assert terminal.wait() == 0
    assert re.search(r"\[#+-+\] +\d+%  [0-9.k]+ lines, [0-9.k]+/s, \S+ left", terminal.text)
    assert re.search(r"\[#+\] 100%  100k lines, .*\r\n$", ESCAPES.sub("", terminal.text))
    assert max(len(part) for part in ESCAPES.sub("", terminal.text).split("\r")) < 80
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
        last.sendto(b"end", receiver.getsockname())
    counter.join(PATIENCE_S)
    assert counter.lines == 100000


def test_delete_asks(admins):
    admin = admins(list="ok\ncounter a.b\ntimer a.c\n", delete="ok\ncounter a.b\ntimer a.c\n")
    terminal = Terminal("delete", "a.*", "--socket", admin.path)
    terminal.until("[y/N]")
    assert "counter a.b" in terminal.read() and "all of those that match 'a.*'" in terminal.read()
    terminal.type("n\n")
    assert terminal.wait() == 1
    assert admin.asked == [("list", "a.*")]
    terminal = Terminal("delete", "a.*", "--socket", admin.path)
    terminal.until("[y/N]")
    terminal.type("y\n")
    assert terminal.wait() == 0
    assert admin.asked[1:] == [("list", "a.*"), ("delete", "a.*")]
    for args in (["delete", "a.*", "--yes"], ["delete", "-y", "a.*"]):
        assert Terminal(*args, "--socket", admin.path).wait() == 0
    assert admin.asked[-2:] == [("delete", "a.*")] * 2


def test_delete_of_nothing(admins):
    terminal = Terminal("delete", "x", "--socket", admins(list="ok\n").path)
    assert terminal.wait() == 1
    assert "nothing matches 'x'" in terminal.text


# --- questions

def test_answers_are_printed(admins):
    admin = admins(list="ok\ncounter a\ngauge b\n", get="ok\ngauge b value 7\n", flush="ok\n",
                   reload="ok\n", config="ok\nPCT=90\n", delete="ok\ncounter a\n",
                   explain="ok\nsent stats.a 1\n")
    for args, asked, out in (
        (["list"], ("list", ""), "counter a\ngauge b\n"),
        (["list", "a.*"], ("list", "a.*"), "counter a\ngauge b\n"),
        (["get", "b"], ("get", "b"), "gauge b value 7\n"),
        (["flush"], ("flush", ""), ""),
        (["reload"], ("reload", ""), ""),
        (["config"], ("config", ""), "PCT=90\n"),
        (["delete", "a"], ("delete", "a"), "counter a\n"),
        (["explain", "a b:1|c"], ("explain", "a b:1|c"), "sent stats.a 1\n"),
    ):
        done = run(*args, "--socket", admin.path)
        assert (done.returncode, done.stdout, done.stderr) == (0, out, ""), args
        assert admin.asked[-1] == asked


def test_status_as_json(admins):
    text = run("status", "--json", "--socket",
               admins(status=status(['a "quoted\\ one', "two"])).path).stdout
    found = json.loads(text)
    assert found["version"] == "1.0.0" and found["pid.master"] == 4201
    assert found["lines_per_s"] == 98765.4 and found["last_success_age_s"] is None
    assert found["bad.no_value"] == 17 and found["carbon"] == "connected"
    assert found["problems"] == ['a "quoted\\ one', "two"]


@pytest.mark.parametrize("state, expected", [("ok", 0), ("warning", 1), ("critical", 2),
                                             ("-", 3), ("strange", 3)])
def test_check(state, expected, admins):
    problems = [] if state == "ok" else ["it is so"]
    done = run("status", "--check", "--socket", admins(status=status(problems, state=state)).path)
    assert done.returncode == expected
    word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][expected]
    assert re.fullmatch(rf"{word} - [^|\n]+ \|( [a-z_]+=[0-9.]+[cBs]?(;;;0;\d+)?)+\n", done.stdout)
    assert done.stderr == ""


@pytest.mark.parametrize("args", [
    ["status", "--check", "--nonsense"], ["status", "--nonsense", "--check"],
    ["status", "--rows", "x", "--check"], ["status", "--socket", "", "--check"],
    ["--nonsense", "status", "--check"], ["status", "more", "--check"]])
def test_check_of_a_wrong_command_line(args):
    """What a monitoring system would take for a verdict, 2 is not; it shows standard output."""
    done = run(*args)
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert done.stdout == "UNKNOWN - wrong command line, see standard error\n"


@pytest.mark.parametrize("args", [["status", "--nonsense"], ["status", "--nonsense", "--", "--check"],
                                  ["time", "--nonsense", "name", "ls", "--check"]])
def test_a_wrong_command_line_that_is_no_check(args):
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")


def test_watch(admins):
    ready = threading.Event()

    def stream(connection, _):
        connection.sendall(b"ok\n127.0.0.1:9 a:1|c\n")
        ready.wait(PATIENCE_S)
        connection.sendall(b"127.0.0.1:9 a:2|c\ndropped: too slow\n")

    admin = admins(watch=stream)
    with subprocess.Popen([COMMAND, "watch", "a", "--socket", admin.path], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == "127.0.0.1:9 a:1|c\n"  # not kept back in a buffer
        ready.set()
        out, error = process.communicate(timeout=PATIENCE_S)
    assert out == "127.0.0.1:9 a:2|c\ndropped: too slow\n"
    assert (process.returncode, error) == (1, "pystatsd: the daemon has ended the watch\n")
    assert admin.asked == [("watch", "a")]


def test_a_slow_reader_of_ours_does_not_hold_up_the_daemon(admins):
    """A pager: the daemon has got rid of everything before anything is read."""
    sent = threading.Event()

    def answer(connection, _):
        connection.sendall(b"ok\n" + b"counter some.name\n" * 200000)
        sent.set()

    admin = admins(list=answer)
    with subprocess.Popen([COMMAND, "list", "--socket", admin.path],
                          stdout=subprocess.PIPE) as process:
        assert sent.wait(PATIENCE_S)
        assert process.stdout.read().count(b"\n") == 200000
    assert process.returncode == 0


# --- daemons that are none

def test_absent(place):
    for args in (["status"], ["list"], ["top", "--once"], ["flush"], ["watch"]):
        done = run(*args, "--socket", os.path.join(place, "none"))
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.count("\n") == 1 and "no daemon answers at" in done.stderr
    done = run("status", "--check", "--socket", os.path.join(place, "none"))
    assert done.returncode == 2 and done.stdout.startswith("CRITICAL - no daemon answers")


def test_slow(admins):
    forever = threading.Event()
    admin = admins(status=lambda connection, _: forever.wait(PATIENCE_S))
    start = time.monotonic()
    done = run("status", "--check", "--socket", admin.path)
    assert done.returncode == 2 and "does not answer in time" in done.stdout
    assert 1.9 < time.monotonic() - start < PATIENCE_S
    done = run("status", "--socket", admin.path)
    assert done.returncode == 1 and "does not answer in time" in done.stderr
    forever.set()


def test_dribbling(admins):
    """One byte now and then does not make it an answer in time."""
    def dribble(connection, _):
        with contextlib.suppress(OSError):
            for byte in status().encode():
                connection.sendall(bytes([byte]))
                time.sleep(0.1)

    done = run("status", "--check", "--socket", admins(status=dribble).path)
    assert done.returncode == 2 and "does not answer in time" in done.stdout


@pytest.mark.parametrize("garbage", [b"", b"\n", b"ok", b"okay\n", b"\0\0\0\n", b"\xff" * 4096,
                                     b"HTTP/1.1 400 Bad Request\r\n\r\n", b"ok\nstate ok\nversi",
                                     b"ok\nstate o\0k\n", b"ok\n" + b"x" * 300000],
                         ids=lambda garbage: repr(garbage[:20]))
def test_garbage(garbage, admins):
    admin = admins(status=garbage, list=garbage, top=garbage)
    for args in (["status"], ["list"], ["top", "--once"]):
        done = run(*args, "--socket", admin.path)
        assert (done.returncode, done.stdout) == (1, ""), args
        assert done.stderr.count("\n") == 1
    done = run("status", "--check", "--socket", admin.path)
    assert done.returncode in (2, 3) and done.stdout.count("\n") == 1


def test_not_ours_to_ask(admins):
    admin = admins()
    os.chmod(admin.path, 0o600)
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("takes root")
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", COMMAND,
                           "status", "--socket", admin.path], capture_output=True, text=True,
                          check=False)
    if "Permission denied" in done.stderr:
        pytest.skip("nobody may not run what was built")
    assert done.returncode == 1
    assert "ADMIN_SOCKET_MODE" in done.stderr


# --- explain, where no daemon answers

def test_explain_without_a_daemon(place):
    """The server beside it is asked, with the line as one word."""
    for name, text in (("pystatsd-server", '#!/bin/sh\nprintf "<%s>" "$@"\nexit 1\n'),):
        path = os.path.join(place, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, 0o755)
    program = shutil.copy(COMMAND, place)
    done = run("explain", "a b:1|x", PYSTATSD_ADMIN_SOCKET="/no/such", program=program)
    assert (done.returncode, done.stdout) == (1, "<--explain><a b:1|x>")
    assert done.stderr == "pystatsd: no daemon answers; the settings in /etc/default/pystatsd say\n"
    done = run("explain", "a b:1|x", "--socket", "/no/such", program=program)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no daemon answers at /no/such" in done.stderr
    os.unlink(os.path.join(place, "pystatsd-server"))
    done = run("explain", "a", PYSTATSD_ADMIN_SOCKET="/no/such", program=program, PATH="/no/such")
    assert done.returncode == 1 and "pystatsd-server cannot be run" in done.stderr


# --- the command line

def test_help():
    done = run("help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run("--help").stdout
    for name in re.findall(r"^  ([a-z]+) ", done.stdout.partition("\nFlags")[0], re.M):
        text = run("help", name).stdout
        assert text.startswith(f"usage: pystatsd {name}")
        assert run(name, "--help").stdout == text
    assert re.fullmatch(r"pystatsd \S+\n", run("--version").stdout)


@pytest.mark.parametrize("args", [[], ["nonsense"], ["list", "--json"], ["increment"],
                                  ["gauge", "a", "+1"], ["timing", "a", "soon"],
                                  ["increment", "a", "--port", "x"], ["--nonsense"]])
def test_usage_errors(args):
    done = run(*args)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_output_that_cannot_be_written(admins):
    admin = admins(list="ok\n" + "counter a\n" * 10000)
    with open("/dev/full", "w", encoding="ascii") as full:
        for args in (["list"], ["status"], ["status", "--json"], ["top", "--once"], ["help"]):
            done = subprocess.run([COMMAND, *args, "--socket", admin.path][:2 if args == ["help"]
                                                                          else None],
                                  stdout=full, stderr=subprocess.DEVNULL, check=False)
            assert done.returncode == 1, args


def test_the_fake_speaks_the_protocol():
    """Every line is of the form that the command expects."""
    for line in ranking().splitlines()[1:]:
        assert re.fullmatch(r"(name|sender|prefix|new) [0-9.]+ \S.*", line)
    for line in status().splitlines()[1:]:
        assert re.fullmatch(r"[a-z_.]+ \S.*", line)


# --- the daemon itself


@pytest.fixture
def asked(daemons, sinks, place):
    """A daemon that can be asked, its sink as .sink, and a function that runs the command on it."""
    path = os.path.join(place, "admin.sock")
    sink = sinks()
    daemon = daemons(sink, {"ADMIN_SOCKET": path, "AGGREGATE_COUNTERS": "no",
                            "FLUSH_INTERVAL": "2000"})
    daemon.sink = sink

    def ask(*args, **kwargs):
        target = ["--host", "127.0.0.1", "--port", daemon.port]
        sends = args[0] in ("increment", "decrement", "timing", "time", "gauge", "set", "send")
        return run(args[0], *(target if sends else ["--socket", path]), *args[1:], **kwargs)

    return daemon, ask


def wait_for_lines(ask, n):
    def there():
        return json.loads(ask("status", "--json").stdout)["lines"] >= n

    until(there, f"{n} lines to be read")


def test_all_the_way(asked):
    daemon, ask = asked
    for args in (["increment", "way.c", "5"], ["gauge", "way.g", "7.5"], ["timing", "way.t", "12"],
                 ["set", "way.s", "me"]):
        assert ask(*args).returncode == 0
    sent = "".join(f"way.sent:{i}|c\n" for i in range(100))
    assert ask("send", text=sent).returncode == 0
    for name, value in (("way.c", 5), ("way.sent", 4950)):
        daemon.sink.wait(lambda: daemon.sink.total(f"stats.{name}") == value, name)
    daemon.sink.wait(lambda: daemon.sink.last("stats.way.g") == 7.5, "the gauge")
    daemon.sink.wait(lambda: daemon.sink.total("stats.timers.way.t.count") == 1, "the timer")
    daemon.sink.wait(lambda: daemon.sink.total("stats.sets.way.s.count") == 1, "the set")


def test_questions_to_the_daemon(asked):
    _, ask = asked
    assert ask("increment", "a b", "5").returncode == 0
    assert ask("gauge", "g", "2").returncode == 0
    wait_for_lines(ask, 2)
    assert sorted(ask("list").stdout.splitlines()) == ["counter a_b", "gauge g"]
    assert ask("list", "a*").stdout == "counter a_b\n"
    assert "gauge g value 2\n" in ask("get", "g").stdout
    assert ask("get", "nothing").returncode == 1
    assert "stats.a_b" in ask("explain", "a b:3|c").stdout
    assert "FLUSH_INTERVAL=\"2000\"" in ask("config").stdout
    assert ask("delete", "a*").stdout == "counter a_b\n"
    assert ask("list").stdout == "gauge g\n"
    for args in (["flush"], ["reload"]):
        done = ask(*args)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), args
    assert "BUSIEST NAMES" in ask("top", "--once").stdout


@pytest.mark.parametrize("line", ["a:1|c", "a:1|x", " lead:1|c \r", "", "\n", "a:1|c\nb:x|c",
                                  "a:1|c\nb:1|g", "a:1|c" + " " * 16379, "caf\u00e9:1|c"])
def test_explain_is_the_same_without_the_daemon(line, asked):
    _, ask = asked
    told, program = ask("explain", line), os.path.join(BUILD, "pystatsd-server")
    expected = run("--config", "/dev/null", "--set", "AGGREGATE_COUNTERS=no", "--set",
                   "FLUSH_INTERVAL=2000", "--explain", line, program=program)
    assert (told.returncode, told.stdout) == (expected.returncode, expected.stdout)
    assert told.returncode in (0, 65) and told.stdout


def test_status_of_the_daemon(asked):
    daemon, ask = asked
    assert ask("increment", "a").returncode == 0
    wait_for_lines(ask, 1)
    found = json.loads(ask("status", "--json").stdout)
    assert found["pid.master"] == daemon.pid and found["state"] == "ok"
    assert found["applied"] == found["lines"] == 1
    # What it shows is what it knows: nothing is left unknown that the daemon should say.
    until(lambda: json.loads(ask("status", "--json").stdout)["flush_ms"] is not None, "a flush")
    lines = ask("status").stdout.splitlines()
    assert len(lines) <= 24 and max(map(len, lines)) <= 80
    done = ask("status", "--check")
    assert done.returncode == 0 and done.stdout.startswith("OK - up ")


def test_watch_of_the_daemon(asked):
    daemon, ask = asked
    argv = [COMMAND, "watch", "seen.*", "--socket", daemon.settings["ADMIN_SOCKET"]]
    with subprocess.Popen(argv, text=True, stdout=subprocess.PIPE) as process:
        def send():
            ask("increment", "unseen")
            ask("increment", "seen.x")
            return select.select([process.stdout], [], [], 0.1)[0]

        until(send, "a line")
        assert re.fullmatch(r"127\.0\.0\.1:\d+ seen\.x:1\|c\n", process.stdout.readline())
        process.terminate()
