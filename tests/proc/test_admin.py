"""What the daemon answers on ADMIN_SOCKET, and that nobody who asks can hold it up."""

import os
import select
import signal
import socket
import stat
import subprocess
import time

import pytest

from lib import asking, ledger, proc
from lib.daemon import BUILD, IS_ROOT, run
from lib.wait import until

COMMAND = os.path.join(BUILD, "pystatsd")
COMMANDS = ["status", "config", "list", "get", "delete", "flush", "reload", "help"]


@pytest.fixture
def asked(daemons, place):
    """A factory of daemons with a socket, each with its path."""

    def make(sink, settings=None, **kwargs):
        path = os.path.join(place, f"admin-{len(os.listdir(place))}", "admin.sock")
        daemon = daemons(sink, {"ADMIN_SOCKET": path, "AGGREGATE_COUNTERS": "no",
                                **(settings or {})}, **kwargs)
        return daemon, path

    return make


def settled(path, n):
    """Waits until so many lines have been received."""
    until(lambda: asking.status(path)["lines"] == str(n), f"{n} lines")


def stamps(sink, name):
    """[(timestamp, value)] of every line of that name, in order."""
    return [(int(stamp), float(value)) for connection in sink.connections
            for found, value, stamp in connection.lines() if found == name]


def test_help_names_every_command(asked):
    _, path = asked(None)
    names = [line.split("\t")[0].split(" ")[0] for line in asking.good(path, "help")]
    assert set(COMMANDS) <= set(names)
    assert all(len(line.split("\t")) == 2 for line in asking.good(path, "help"))


@pytest.mark.parametrize("request_, words", [
    ("nonsense", "no such command"),
    ("", "no such command"),
    ("help me", "no argument"),
    ("status now", "no argument"),
    ("config X", "no argument"),
    ("get", "name"),
    ("get no.such", "no metric"),
    ("get ::", "no name"),
    ("delete", "pattern"),
    ("list " + "x" * 257, "pattern"),
    ("list a,,b", "pattern"),
])
def test_wrong_requests(asked, request_, words):
    _, path = asked(None)
    first, rest = asking.ask(path, request_)
    assert first.startswith("error ") and words in first and rest == []


def test_mode_and_end(asked):
    daemon, path = asked(None, {"ADMIN_SOCKET_MODE": "0660"})
    found = os.stat(path)
    assert stat.S_ISSOCK(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_uid == os.geteuid()
    assert found.st_gid == int(proc.status(daemon.pid)["Gid"].split()[1])
    assert daemon.stop() == 0
    # What is root's, the daemon can take away no more; the next one does.
    assert os.path.exists(path) == IS_ROOT


def may_ask(path, *who):
    """Whether such a user gets an answer from a daemon's socket."""
    done = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", *who, COMMAND, "list",
                           "--socket", path], capture_output=True, text=True, check=False)
    return done.returncode == 0


@pytest.mark.skipif(not IS_ROOT, reason="takes root: to be several users")
def test_members_of_the_group_may_ask(daemons, place):
    """Also where the socket is beside what is the daemon's alone, as in the package's settings."""
    state = os.path.join(place, "state")
    path = os.path.join(state, "admin.sock")
    settings = {"STATE_DIR": state, "ADMIN_SOCKET": path, "GROUP": "adm",
                "ADMIN_SOCKET_MODE": "0660"}
    daemon = daemons(None, settings)
    assert may_ask(path, "--groups=adm") and not may_ask(path, "--clear-groups")
    assert not daemon.warnings("ADMIN_SOCKET_MODE")
    assert daemon.stop() == 0
    os.chmod(state, 0o700)
    daemon = daemons(None, settings)
    assert not may_ask(path, "--groups=adm")
    assert len(daemon.warnings(f"chmod a+x {state}")) == 1


@pytest.mark.skipif(not IS_ROOT, reason="takes root: to be without its privileges")
def test_a_stale_socket_is_replaced_without_privileges(asked, daemons):
    """As under the unit, where root may not write to what is another's."""
    tied = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-fowner")
    daemon, path = asked(None, wrapper=tied)
    assert daemon.stop() == 0
    assert os.path.exists(path)
    daemons(None, {"ADMIN_SOCKET": path}, wrapper=tied)
    assert asking.good(path, "help")


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(asked, daemons, place):
    daemon, path = asked(None)
    second = {"ADMIN_SOCKET": path, "LOCAL_PYSTATD_PORT": str(proc.free_udp_port()),
              "LISTEN_ADDRESS": "127.0.0.1", "TRANSPORT": "none"}
    refused = run(second)
    assert refused.returncode == 78 and f"ADMIN_SOCKET ({path})" in refused.stderr
    assert asking.good(path, "help")
    group = daemon.group()
    for pid in group:
        os.kill(pid, signal.SIGKILL)
    daemon.wait()
    proc.wait_gone(group)
    assert os.path.exists(path)
    daemons(None, {"ADMIN_SOCKET": path})
    assert asking.good(path, "help")


def test_what_is_no_socket_stays(place):
    path = os.path.join(place, "file")
    with open(path, "w", encoding="ascii") as file:
        file.write("mine")
    refused = run({"ADMIN_SOCKET": path, "LOCAL_PYSTATD_PORT": str(proc.free_udp_port()),
                   "LISTEN_ADDRESS": "127.0.0.1", "TRANSPORT": "none"})
    assert refused.returncode == 78
    with open(path, encoding="ascii") as file:
        assert file.read() == "mine"


def test_config_is_that_in_effect(asked, sinks):
    daemon, path = asked(sinks(), {"PCT": "90,99"})
    lines = asking.good(path, "config")
    assert "# command line: --set" in lines and 'PCT="90,99"' in lines
    assert f'LOCAL_PYSTATD_PORT="{daemon.port}"' in lines
    keys = [line.split("=")[0] for line in lines if not line.startswith("#")]
    assert keys[-1] == "CONSOLE_WRITE" and len(keys) > 50


def test_reload(asked):
    daemon, path = asked(None)
    before = daemon.notify.count("RELOADING=1")
    assert asking.good(path, "reload") == []
    until(lambda: daemon.notify.count("RELOADING=1") == before + 1, "a reload")


@pytest.mark.parametrize("threads", ["1", "3"])
def test_list_and_get(asked, threads):
    daemon, path = asked(None, {"FLUSH_INTERVAL": "1h", "THREADS": threads, "DROP": "no.*"})
    for _ in range(8):  # from ports of their own, so that all threads have some
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"a.c:2|c\nt:1|ms\nt:4|ms\ng:1.5|g\ng:2.5|g\ns:x|s\ns:y|s\na c:1|c\nno.x:1|c",
                          ("127.0.0.1", daemon.port))
    settled(path, 8 * 9)
    assert sorted(asking.good(path, "list")) == [
        "counter a.c", "counter a_c", "gauge g", "set s", "timer t"]
    assert sorted(asking.good(path, "list a?c,s")) == ["counter a.c", "counter a_c", "set s"]
    assert asking.good(path, "list nothing") == []
    values = {}
    for name in ("a.c", "a c", "g", "t", "s"):
        for line in asking.good(path, f"get {name}"):
            kind, found, key, value = line.split(" ")
            values[kind, found, key] = float(value)
    ages = [value for key, value in values.items() if key[2] == "age_s"]
    assert len(ages) == 5 and all(0 <= age < 60 for age in ages)
    rate = values.pop(("counter", "a.c", "rate"))
    assert 0 < rate <= 16
    assert {key: value for key, value in values.items() if key[2] not in ("age_s", "rate")} == {
        ("counter", "a.c", "sum"): 16, ("counter", "a_c", "sum"): 8, ("gauge", "g", "value"): 2.5,
        ("timer", "t", "count"): 16, ("timer", "t", "lower"): 1, ("timer", "t", "mean"): 2.5,
        ("timer", "t", "upper"): 4, ("timer", "t", "sum"): 40, ("set", "s", "count"): 2}


def test_deleted_is_gone_at_once_and_for_good(asked, sink):
    daemon, path = asked(sink, {"IDLE_COUNTERS": "zero", "IDLE_TIMERS": "zero"})
    daemon.send("c:1|c\nstays:1|c\ng:5|g\nt:1|ms\ns:a|s")
    sink.wait(lambda: sink.series("stats.g"), "a flush")
    until(lambda: sorted(asking.good(path, "delete c,g,t,s")) == [
        "counter c", "gauge g", "set s", "timer t"], "all four to be deleted")
    assert asking.good(path, "list") == ["counter stays"]
    at = int(asking.status(path)["now"])
    sink.wait(lambda: max(stamp for stamp, _ in stamps(sink, "stats.stays")) > at + 2, "flushes")
    for name in ("stats.c", "stats.g", "stats.timers.t.count", "stats.sets.s.count"):
        assert max(stamp for stamp, _ in stamps(sink, name)) <= at + 1, name
    daemon.send("c:7|c\ng:6|g")
    sink.wait(lambda: stamps(sink, "stats.c")[-1][1] == 7 or 7 in
              [value for _, value in stamps(sink, "stats.c")], "the counter anew")
    sink.wait(lambda: stamps(sink, "stats.g")[-1][1] == 6, "the gauge anew")


def test_delete_of_the_open_interval(asked, sink):
    """What came before is forgotten, what comes behind counts."""
    daemon, path = asked(sink, {"FLUSH_INTERVAL": "1h"})
    daemon.send("c:100|c\nd:1|c")
    settled(path, 2)
    assert asking.good(path, "delete c") == ["counter c"]
    daemon.send("c:1|c")
    settled(path, 3)
    assert daemon.stop() == 0
    assert [value for _, value in stamps(sink, "stats.c")] == [1]
    assert f"[INFO] worker: 1 metrics deleted by uid {os.getuid()} on ADMIN_SOCKET: c\n" in daemon.log


def test_flush_sends_what_is_there_and_its_whole_follows(asked, sink):
    daemon, path = asked(sink, {"FLUSH_INTERVAL": "1h", "THREADS": "2"})
    expected = 0
    for i in range(1, 4):
        for _ in range(20):
            daemon.send("c:1|c\nt:5|ms\n" + "\n".join(f"n{j}:1|c" for j in range(50)))
            expected += 1
        settled(path, expected * 52)
        assert asking.good(path, "flush") == []
        sink.wait(lambda n=i: len(stamps(sink, "stats.c")) == n, "the part")
        assert stamps(sink, "stats.c")[-1][1] == expected
        assert stamps(sink, "stats.timers.t.count")[-1][1] == expected
    daemon.send("c:1|c")
    settled(path, expected * 52 + 1)
    assert daemon.stop() == 0
    found = stamps(sink, "stats.c")
    assert len({stamp for stamp, _ in found}) == 1
    assert [value for _, value in found] == [20, 40, 60, 61]
    assert stamps(sink, "stats.n7")[-1][1] == expected
    assert ledger.read(daemon.log)["received"] == expected * 52 + 1


def test_flushes_under_load_lose_nothing(asked, sink):
    """Samples arrive while the open interval is walked, again and again, over many intervals."""
    daemon, path = asked(sink, {"THREADS": "2"})
    sent, stop = 0, time.monotonic() + 4
    names = [f"m{i}" for i in range(3000)]
    while time.monotonic() < stop:
        for at in range(0, 3000, 100):
            daemon.send("\n".join(f"{name}:1|c" for name in names[at:at + 100]))
        sent += 1
        asking.good(path, "flush")
    assert daemon.stop() == 0
    assert ledger.read(daemon.log)["received"] == 3000 * sent
    assert ledger.read(daemon.log)["kernel_drops"] == 0
    for name in ("m0", "m1499", "m2999"):
        last = dict(stamps(sink, f"stats.{name}"))
        assert sum(last.values()) == sent, name
    assert len(sink.batches) > len({batch.timestamp for batch in sink.batches})


def test_flushes_and_deaths_lose_nothing(asked, sink):
    """Worker and sender are killed while parts are on their way."""
    daemon, path = asked(sink)
    sent, n_flushed, stop = 0, 0, time.monotonic() + 5
    while time.monotonic() < stop:
        for at in range(0, 2000, 100):
            daemon.send("\n".join(f"k{i}:1|c" for i in range(at, at + 100)))
        sent += 1
        with asking.connect(path) as client:
            client.sendall(b"flush\n")
            if sent % 7 == 0:
                os.kill(daemon.child(("worker", "sender")[sent // 7 % 2]), signal.SIGKILL)
            try:
                n_flushed += asking.read_all(client) == b"ok\n"
            except ConnectionResetError:
                pass
    assert daemon.stop() == 0
    assert n_flushed > 5
    assert ledger.read(daemon.log)["received"] == 2000 * sent
    for name in ("k0", "k999", "k1999"):
        assert sum(dict(stamps(sink, f"stats.{name}")).values()) == sent, name


def test_flushes_while_carbon_is_away_push_nothing_out(asked, sinks):
    """A part must not take the room of an interval that has no other copy."""
    sink = sinks(listening=False)
    daemon, path = asked(sink, {"FLUSH_INTERVAL": "2s", "QUEUE_MEMORY": "4M"})
    names = 5000
    lines = [f"{'x' * 20}.{i}:1|c" for i in range(names)]
    for _ in range(2):
        first = int(asking.status(path)["emitted"])
        for at in range(0, names, 50):
            daemon.send("\n".join(lines[at:at + 50]))
        until(lambda n=first: int(asking.status(path)["emitted"]) > n + names, "an interval's end")
    assert asking.status(path)["carbon"] == "away"
    before = asking.status(path)
    for _ in range(30):
        answer, _ = asking.ask(path, "flush")
        assert answer.startswith("error ") and "carbon takes nothing" in answer
    after = asking.status(path)
    assert after["dropped"] == "0" and before["dropped"] == "0"
    sink.listen()
    until(lambda: asking.status(path)["queued"] == "0", "all to be delivered")
    until(lambda: asking.ask(path, "flush")[0] == "ok", "a flush to be taken again")
    assert daemon.stop() == 0
    assert sum(dict(stamps(sink, f"stats.{'x' * 20}.7")).values()) == 2
    assert ledger.read(daemon.log)["dropped"] == 0


def test_many_who_want_a_flush_at_once_leave_one_part(asked, sinks):
    """Carbon dies unseen: what is committed before anybody knows is one part, not one a client."""
    sink = sinks()
    daemon, path = asked(sink, {"FLUSH_INTERVAL": "1h"})
    daemon.send("c:1|c")
    settled(path, 1)
    assert asking.good(path, "flush") == []
    sink.wait(lambda: sink.batches, "the part")
    sink.close()
    emitted = int(asking.status(path)["emitted"])
    clients = [asking.connect(path) for _ in range(12)]
    for client in clients:
        client.sendall(b"flush\n")
    answers = [asking.read_all(client) for client in clients]
    for client in clients:
        client.close()
    for _ in range(5):
        answers.append(asking.ask(path, "flush")[0].encode())
    assert answers[-1].startswith(b"error ")
    queued = int(asking.status(path)["queued"])
    assert 0 < queued <= emitted + 40


def test_flush_to_an_aggregator_is_refused(asked, sink):
    _, path = asked(sink, {"DOWNSTREAM": "aggregator"})
    first, _ = asking.ask(path, "flush")
    assert first.startswith("error ") and "aggregator" in first


def test_status(asked, sink):
    daemon, path = asked(sink)
    daemon.send("c:1|c\ng:1|g\nbad\nc:x|c")
    sink.wait(lambda: sink.series("stats.c"), "a flush")
    found = until(lambda: next((it for it in [asking.status(path)]
                                if it["last_success_age_s"] != "-" and it["flush_ms"] != "-"),
                               None), "a delivery to be told")
    assert (found["state"], found["problem"]) == ("ok", [])
    assert {key: found[key] for key in ("lines", "applied", "bad", "refused", "filtered")} == {
        "lines": "4", "applied": "2", "bad": "2", "refused": "0", "filtered": "0"}
    assert sum(int(value) for key, value in found.items() if key.startswith("bad.")) == 2
    assert found["pid.master"] == str(daemon.pid)
    assert found["pid.worker"] == str(daemon.child("worker"))
    assert found["pid.sender"] == str(daemon.child("sender"))
    assert found["destination"] == f"{sink.host}:{sink.port}"
    assert found["listen"] == f"udp 127.0.0.1:{daemon.port}"
    assert found["carbon"] == "connected" and found["interval_ms"] == "1000"
    assert int(found["emitted"]) == sum(int(found[key]) for key in (
        "delivered", "queued", "spooled", "dropped"))
    assert daemon.stop() == 0


def test_status_before_the_first_flush(asked, sink):
    """What only a flush finds out is not known to be 0."""
    daemon, path = asked(sink, {"FLUSH_INTERVAL": "60000"})
    daemon.send("c:1|c")
    settled(path, 1)
    found = asking.status(path)
    for key in ("metrics.counter", "metrics.gauge", "metrics.timer", "metrics.set", "flush_ms",
                "lines_per_s"):
        assert found[key] == "-", key
    assert daemon.stop() == 0


def test_status_of_a_daemon_in_trouble(asked, sink):
    daemon, path = asked(sink)
    sink.fault = lambda connection: None
    os.kill(daemon.child("sender"), signal.SIGKILL)
    found = until(lambda: next((it for it in [asking.status(path)] if it["state"] == "critical"),
                               None), "the daemon to be in a critical state")
    assert any("nothing was delivered" in text for text in found["problem"])
    assert any("sender was restarted" in text for text in found["problem"])
    assert found["restarts.sender"] == "1" and found["carbon"] == "away"
    sink.fault = None


def test_a_worker_that_dies_leaves_the_socket_to_the_next(asked):
    daemon, path = asked(None, {"FLUSH_INTERVAL": "1h"})
    daemon.send("c:1|c")
    settled(path, 1)
    old = daemon.child("worker")
    os.kill(old, signal.SIGKILL)
    until(lambda: asking.status(path)["pid.worker"] != str(old), "another worker")
    assert asking.good(path, "list") == ["counter c"]
    assert asking.status(path)["restarts.worker"] == "1"


def test_a_client_that_reads_nothing_is_dropped_and_holds_up_nobody(asked, sink):
    daemon, path = asked(sink)
    names = 60000
    for at in range(0, names, 60):
        daemon.send("\n".join(f"{'x' * 30}.{i}:1|g" for i in range(at, at + 60)))
    settled(path, names)
    deaf = [asking.connect(path) for _ in range(8)]
    for client in deaf:
        client.sendall(b"list\n")
    began = time.monotonic()
    assert len(asking.good(path, "list")) == names
    assert time.monotonic() - began < 5
    for client in deaf:
        until(lambda it=client: is_cut(it), "the daemon to drop it")
    assert asking.status(path)["state"] == "ok"


def test_nobody_else_has_to_ask_for_one_that_reads_nothing_to_be_dropped(asked):
    daemon, path = asked(None, {"FLUSH_INTERVAL": "1h"})
    for at in range(0, 20000, 60):
        daemon.send("\n".join(f"{'x' * 30}.{i}:1|g" for i in range(at, at + 60)))
    until(lambda: len(asking.good(path, "list")) >= 20000, "the names")
    with asking.connect(path) as deaf:
        deaf.sendall(b"list\n")
        began = time.monotonic()
        until(lambda: is_cut(deaf), "the daemon to drop it")
        assert 4 < time.monotonic() - began < 8


def is_cut(client):
    """Whether the daemon has closed it, by what the kernel says of the socket, without reading."""
    poller = select.poll()
    poller.register(client, 0)
    return bool(poller.poll(0))


def test_who_asks_nothing_is_closed(asked):
    _, path = asked(None)
    began = time.monotonic()
    with asking.connect(path) as client:
        client.sendall(b"sta")
        assert client.recv(1) == b""
    assert 4 < time.monotonic() - began < 15
    with asking.connect(path) as client:
        client.sendall(b"x" * 50000)
        assert asking.read_all(client) == b"error the request is too long\n"


def test_a_request_without_a_newline_ends_with_the_file(asked):
    _, path = asked(None)
    with asking.connect(path) as client:
        client.sendall(b" help \r")
        client.shutdown(socket.SHUT_WR)
        assert asking.read_all(client).startswith(b"ok\n")


def test_only_so_many_at_once(asked):
    _, path = asked(None)
    idle = [asking.connect(path) for _ in range(40)]
    until(lambda: sum(is_cut(it) for it in idle) == 24, "all but 16 to be closed")
    for client in idle:
        client.close()
    until(lambda: is_served(path), "the daemon to serve again")


def is_served(path):
    try:
        return asking.good(path, "help")
    except (OSError, IndexError):
        return False


def test_stop_while_clients_wait(asked, sink):
    daemon, path = asked(sink)
    clients = [asking.connect(path) for _ in range(5)]
    clients[0].sendall(b"flush\n")
    clients[1].sendall(b"list\n")
    began = time.monotonic()
    assert daemon.stop() == 0
    assert time.monotonic() - began < 8
    for client in clients:
        client.close()
