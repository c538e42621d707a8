"""Fixtures of the crash tests. `make test` runs a short form of each, `make chaos` all of them."""

import os
import shutil
import tempfile

import pytest

from lib import chaos
from lib import load as load_module
from lib.daemon import IS_ROOT


def pytest_configure(config):
    config.addinivalue_line("markers", "full: too long for `make test`")


def pytest_collection_modifyitems(config, items):
    left_out = [it for it in items if it.get_closest_marker("full") and not chaos.FULL]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [it for it in items if it not in left_out]


@pytest.fixture(scope="session", autouse=True)
def tools():
    for path in (load_module.PROGRAM, chaos.HOOKED, chaos.FAULTS):
        if not os.access(path, os.X_OK):
            pytest.fail(f"no {path}: `make test` and `make chaos` build it", pytrace=False)


@pytest.fixture
def rng(request):
    return chaos.dice(request)


@pytest.fixture
def loads(rng):
    """A factory of loads on a daemon."""
    made = []

    def make(daemon, rate=chaos.RATE, **options):
        if rate > 10_000 and not IS_ROOT:
            pytest.skip("takes root: the socket's buffer is too small for what comes meanwhile")
        made.append(load_module.Load(daemon.port, rate, rng.getrandbits(63), **options))
        return made[-1]

    yield make
    for load in made:
        load.close()


@pytest.fixture
def kept():
    """A directory for what outlives the daemons of one test, in memory as STATE_DIR has to be: on a
    disk a page may be waited for, and a SIGKILL in that wait costs the datagram that recvmmsg(2)
    has at hand (the kernel counts it as dropped)."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="pystatsd-test-", dir=memory) as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture
def state(kept):
    return os.path.join(kept, "state")


@pytest.fixture
def users(place):
    """A directory that the daemon's user may write to."""
    path = os.path.join(place, "users")
    os.mkdir(path)
    if IS_ROOT:
        shutil.chown(path, "nobody", "nogroup")
    return path
