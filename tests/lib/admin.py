"""A daemon's admin socket that says what a test wants it to."""

import contextlib
import os
import socket
import threading

STATUS = {
    "version": "1.0.0",
    "uptime_s": 7512,
    "now": 1790000000,
    "state": "ok",
    "pid.master": 4201,
    "pid.worker": 4202,
    "pid.sender": 4203,
    "restarts.worker": 0,
    "restarts.sender": 1,
    "interval_ms": 10000,
    "listen": "127.0.0.1:8125",
    "destination": "carbon.example.net:2003",
    "packets_per_s": 1234.5,
    "bytes_per_s": 1398101.3,
    "lines_per_s": 98765.4,
    "lines_sent_per_s": 283.4,
    "packets": 12345678,
    "bytes": 3221225472,
    "lines": 987654321,
    "applied": 987654300,
    "filtered": 0,
    "bad": 20,
    "refused": 1,
    "udp_drops": 0,
    "truncated": 0,
    "quarantined": 0,
    "bad.no_value": 17,
    "bad.bad_type": 3,
    "refused.metrics": 1,
    "refused.memory": 0,
    "metrics.counter": 1200,
    "metrics.gauge": 34,
    "metrics.timer": 500,
    "metrics.set": 2,
    "memory_used": 12582912,
    "memory_limit": 268435456,
    "max_metrics": 1000000,
    "flush_ms": 3,
    "flush_overruns": 0,
    "emitted": 654321,
    "delivered": 652000,
    "queued": 2321,
    "spooled": 0,
    "dropped": 0,
    "queue_bytes": 1258291,
    "queue_limit": 67108864,
    "spool_bytes": 0,
    "spool_limit": 0,
    "reconnects": 2,
    "send_failures": 1,
    "last_success_age_s": "-",
    "carbon": "connected",
}


def status(problems=(), **changes):
    """The daemon's answer to `status`; a dot in a key is written as __."""
    facts = {**STATUS, **{key.replace("__", "."): value for key, value in changes.items()}}
    lines = [f"{key} {value}" for key, value in facts.items()]
    lines += [f"problem {text}" for text in problems]
    return "ok\n" + "".join(f"{line}\n" for line in lines)


def ranking(n=40):
    """Its answer to `top`, with long names among others."""
    lines = [f"name {1e6 / (i + 1):.1f} shop.checkout.server-{i}.{'very.long.' * (i % 12)}requests"
             for i in range(n)]
    lines += [f"sender {5e5 / (i + 1):.1f} 10.0.{i}.{i}" for i in range(n)]
    lines += [f"prefix {7e5 / (i + 1):.1f} shop.part{i}" for i in range(n)]
    lines += [f"new {i * i * 7} {('counter', 'timer')[i % 2]} fresh.{i}" for i in range(n)]
    return "ok\n" + "".join(f"{line}\n" for line in lines)


class Admin:
    """Answers each command with its text of answers, and anything else with an error; a callable
    is given the connection and the argument. What was asked is in asked."""

    def __init__(self, path, **answers):
        self.path = str(path)
        self.answers = {"status": status(), "top": ranking(), **answers}
        self.asked = []
        self._stopped = threading.Event()
        self._connections = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection = self._socket.accept()[0]
            except OSError:
                return
            if self._stopped.is_set():
                connection.close()
                return
            self._connections.append(connection)
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            line = connection.makefile("r", encoding="utf-8", newline="\n").readline()
            command, _, argument = line.rstrip("\n").partition(" ")
            self.asked.append((command, argument))
            answer = self.answers.get(command, f"error there is no command '{command}'\n")
            if callable(answer):
                answer(connection, argument)
            else:
                connection.sendall(answer if isinstance(answer, bytes) else answer.encode())

    def close(self):
        self._stopped.set()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as waker:
            waker.connect(self.path)
        self._thread.join()
        self._socket.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        os.unlink(self.path)
