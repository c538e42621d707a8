"""Debian's carbon-cache, with a whisper store of one second's resolution."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess

from lib.daemon import AS_NOBODY, IS_ROOT
from lib.proc import free_tcp_port
from lib.wait import PATIENCE_S, until

PROGRAM = "/usr/bin/carbon-cache"

CONF = """[cache]
STORAGE_DIR = {place}
LOCAL_DATA_DIR = {place}/whisper/
CONF_DIR = {place}/conf/
LOG_DIR = {place}/log/
PID_DIR = {place}/run/
DATABASE = whisper
WHISPER_SPARSE_CREATE = True
ENABLE_LOGROTATION = False
USER =
MAX_CACHE_SIZE = inf
MAX_UPDATES_PER_SECOND = {updates}
MAX_CREATES_PER_MINUTE = inf
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = {line}
ENABLE_UDP_LISTENER = False
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = {pickle}
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = {query}
CACHE_WRITE_STRATEGY = naive
CARBON_METRIC_INTERVAL = 0
ENABLE_TAGS = False
"""
SCHEMAS = "[all]\npattern = .*\nretentions = {slot_s}s:1h\n"
AGGREGATION = "[all]\npattern = .*\nxFilesFactor = 0\naggregationMethod = last\n"


def missing():
    """Why carbon cannot be run here, or ""."""
    if not os.access(PROGRAM, os.X_OK):
        return "graphite-carbon is not installed"
    return "" if importlib.util.find_spec("whisper") else "python3-whisper is not installed"


class Carbon:
    """One carbon-cache, of slots of slot_s seconds. Its port is known, and refuses, before start();
    updates, the points that it writes in a second, may change until then."""

    host = "127.0.0.1"

    def __init__(self, place, slot_s=1, updates="inf", port=0):
        self.place = os.path.join(str(place), "carbon")
        self.port = port or free_tcp_port()
        self.process = None
        for name in ("conf", "whisper", "log", "run"):
            os.makedirs(os.path.join(self.place, name))
        self.updates = updates
        self.ports = {"line": self.port, "pickle": free_tcp_port(), "query": free_tcp_port()}
        self._write("conf/carbon.conf", "")
        self._write("conf/storage-schemas.conf", SCHEMAS.format(slot_s=slot_s))
        self._write("conf/storage-aggregation.conf", AGGREGATION)
        if IS_ROOT:
            for path, _, _ in os.walk(self.place):
                shutil.chown(path, "nobody", "nogroup")

    def _write(self, name, text):
        with open(os.path.join(self.place, name), "w", encoding="ascii") as file:
            file.write(text)

    def configure(self, schemas, aggregation):
        """Before start(): what its files hold instead of our own."""
        self._write("conf/storage-schemas.conf", schemas)
        self._write("conf/storage-aggregation.conf", aggregation)

    def start(self):
        settings = {"place": self.place, "updates": self.updates, **self.ports}
        self._write("conf/carbon.conf", CONF.format(**settings))
        argv = [
            *(AS_NOBODY if IS_ROOT else []),
            PROGRAM,
            f"--config={self.place}/conf/carbon.conf",
            f"--pidfile={self.place}/run/carbon.pid",
            f"--logdir={self.place}/log/",
            "--nodaemon",
            "start",
        ]
        with open(os.path.join(self.place, "output"), "wb") as output:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self.place,
                env={
                    "PATH": "/usr/bin:/bin",
                    "GRAPHITE_ROOT": self.place,
                    "PYTHONDONTWRITEBYTECODE": "1",
                },
                start_new_session=True,
            )
        until(self._listens, "carbon to listen", timeout=2 * PATIENCE_S)
        return self

    def _listens(self):
        assert self.process.poll() is None, "carbon ended"
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        """Whatever it has not written by now is lost."""
        self.process.kill()
        self.process.wait()

    def file(self, name):
        """The path of the whisper file of a name."""
        return os.path.join(self.place, "whisper", *name.split(".")) + ".wsp"

    def series(self, name):
        """{timestamp: value} of what the whisper file of a name holds; {} where there is none."""
        import whisper

        try:
            fetched = whisper.fetch(self.file(name), 0)
        except (OSError, whisper.CorruptWhisperFile):
            return {}
        if fetched is None:
            return {}
        (start, _, step), values = fetched
        return {start + i * step: v for i, v in enumerate(values) if v is not None}

    def close(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.resume()
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
