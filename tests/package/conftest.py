"""Fixtures of the package's tests: packages that were built, and machines to install them on."""

import os
import shutil
import sys
import tempfile

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), os.pardir)))

from lib import carbon as carbon_module  # noqa: E402
from lib import machine as machine_module  # noqa: E402
from lib import package  # noqa: E402
from service import Service  # noqa: E402

NEWER = package.version() + "+1"


@pytest.fixture(scope="session")
def workshop():
    """A directory that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="pystatsd-package-") as path:
        os.chmod(path, 0o755)
        yield path


@pytest.fixture(scope="session")
def built(workshop):
    return package.Built(package.copy(os.path.join(workshop, "built")))


@pytest.fixture(scope="session")
def newer(workshop):
    return package.Built(package.copy(os.path.join(workshop, "newer"), newer=NEWER))


@pytest.fixture(scope="module", params=sorted(machine_module.INITS))
def machine(request, workshop, built):
    """A machine that runs, with all but the package itself."""
    if machine_module.missing():
        pytest.skip(machine_module.missing())
    path = os.path.join(workshop, f"root-{request.param}")
    try:
        machine_module.make_root(path, request.param, package.needed(built.debs))
    except machine_module.NoDebian as error:
        pytest.skip(f"no Debian to install it on: {error}")
    made = machine_module.Machine(path, request.param, path + ".log")
    try:
        yield made.start()
    finally:
        made.stop()
        shutil.rmtree(path)


@pytest.fixture(scope="module")
def carbon(machine, workshop):
    """Real carbon where the package's settings look for it. Not started."""
    if carbon_module.missing():
        pytest.skip(carbon_module.missing())
    place = tempfile.mkdtemp(dir=workshop)
    os.chmod(place, 0o755)
    made = carbon_module.Carbon(place, port=2003)
    yield made
    made.close()


@pytest.fixture(scope="module")
def service(machine):
    return Service(machine)
