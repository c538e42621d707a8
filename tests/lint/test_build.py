"""make install and make deps, as far as they can be tried without changing this machine."""
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = Path(os.environ.get("PYSTATSD_BUILD", ROOT / "build")).resolve()
SERVER = BUILT / "pystatsd-server"
OUTPUTS = {"SERVER": SERVER, "CLIENT_SO": BUILT / "libpystatsd.so.0",
           "CLIENT_A": BUILT / "libpystatsd.a", "COMMAND": BUILT / "pystatsd",
           "PYTHON_MODULE": BUILT / "python/pystatsd.abi3.so"}
OPTIONAL = {"PYTHON_MODULE"}
TOOLS = ["sh", "awk", "sed", "grep", "dirname"]


def make(*args):
    """Without the variables of a make that runs this; nothing is built again (-o)."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    given = [word for name, path in OUTPUTS.items() for word in ("-o", path, f"{name}={path}")]
    subprocess.run(["make", "-s", "-C", ROOT, *given, *args],
                   env={**clean, "MAKEFLAGS": ""}, check=True, stdout=subprocess.PIPE)


def files(root):
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir()}


@pytest.fixture
def destination(tmp_path):
    if not all(path.exists() for name, path in OUTPUTS.items() if name not in OPTIONAL):
        pytest.skip("what is installed is not built")
    return tmp_path / "destination"


def test_uninstall_takes_back_what_install_did(destination):
    make("install", f"DESTDIR={destination}")
    assert {"usr/local/bin/pystatsd-server", "usr/local/lib/systemd/system/pystatsd.service",
            "usr/local/lib/systemd/system/pystatsd.socket",
            "etc/default/pystatsd", "etc/init.d/pystatsd",
            "usr/local/bin/pystatsd", "usr/local/share/man/man1/pystatsd.1",
            "usr/local/share/bash-completion/completions/pystatsd",
            "usr/local/share/man/man8/pystatsd-server.8",
            "usr/local/share/man/man5/pystatsd.default.5",
            "usr/local/share/man/man3/libpystatsd.3",
            "usr/local/share/man/man3/pystatsd_timing.3",
            "usr/local/include/pystatsd.h", "usr/local/lib/libpystatsd.so.0",
            "usr/local/lib/libpystatsd.so", "usr/local/lib/libpystatsd.a",
            "usr/local/lib/pkgconfig/pystatsd.pc",
            "usr/local/share/bash-completion/completions/pystatsd-server",
            "usr/local/share/doc/pystatsd/examples/pystatsd.conf.upstart",
            "usr/local/share/doc/pystatsd/graphite/storage-schemas.conf",
            "usr/local/share/doc/pystatsd/graphite/storage-aggregation.conf"} <= files(destination)
    modules = [path.parent.name for path in destination.rglob("pystatsd.abi3.so")]
    assert modules == ["dist-packages"] * OUTPUTS["PYTHON_MODULE"].exists()
    (destination / "var/lib/pystatsd/gauges").mkdir()
    make("uninstall", f"DESTDIR={destination}")
    assert list(destination.glob("*")) == []


@pytest.mark.parametrize("name", ["opt/x/lib/systemd/system/pystatsd.service",
                                  "etc/init.d/pystatsd",
                                  "opt/x/share/doc/pystatsd/examples/pystatsd.conf.upstart"])
def test_what_is_installed_names_what_was_installed(name, destination):
    make("install", f"DESTDIR={destination}", "PREFIX=/opt/x")
    named = set(re.findall(r"/(?:usr|opt)/\S*pystatsd\S*",
                           (destination / name).read_text()))
    assert "/opt/x/bin/pystatsd-server" in named
    assert {path.lstrip("/") for path in named} <= files(destination)


@pytest.mark.parametrize("prefix", ["relative", "/opt/a,b", "/opt/a&b", "/opt/a b", "/opt/", ""])
def test_prefix_that_is_none(prefix, destination):
    with pytest.raises(subprocess.CalledProcessError):
        make("install", f"DESTDIR={destination}", f"PREFIX={prefix}")
    assert not destination.exists()


# What a machine has of its own, and where uninstall leaves it.
THERE = {
    "/opt/x/y": ["/opt/x"],
    "/usr/local": [f"/usr/local/{it}" for it in (
        "bin", "include", "lib", "lib/pkgconfig", "lib/pkgconfig/another", "lib/python", "sbin",
        "share", "share/man")],
}
COVERED = "/etc/init.d /etc/default /var/lib /var/cache /run /opt /usr/local"


@pytest.mark.parametrize("prefix", sorted(THERE))
def test_uninstall_of_this_machine(prefix, destination, tmp_path):
    """Without DESTDIR, on a copy of its own. The loader knows the library, if it looks there at all,
    for as long as it is there."""
    if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("takes a mount namespace, which takes root")
    given = " ".join(f"-o {path} {name}={path}" for name, path in OUTPUTS.items())
    given += f" PREFIX={prefix} PYTHONDIR={prefix}/lib/python"
    loader = f"ldconfig -C {tmp_path}/ld.so.cache"
    script = f"""set -e
        PATH=$PATH:/usr/sbin:/sbin
        for there in {COVERED}; do mount -t tmpfs none $there; done
        mkdir -p /var/cache/ldconfig {" ".join(THERE[prefix])}
        make -s {given} LDCONFIG="{loader}" install
        test -x {prefix}/bin/pystatsd
        {loader} -p | sed -n 's/.*libpystatsd.so.0 .*=> /loaded: /p'
        make -s {given} LDCONFIG="{loader}" uninstall
        ! {loader} -p | grep libpystatsd
        find {COVERED} -mindepth 1 ! -path '/run/mount*' ! -path '/var/cache/*'"""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], cwd=ROOT, env=clean, text=True,
                          stdout=subprocess.PIPE, check=True)
    said = done.stdout.splitlines()
    loaded = [f"loaded: {prefix}/lib/libpystatsd.so.0"] if prefix == "/usr/local" else []
    assert said[:len(loaded)] == loaded
    assert sorted(said[len(loaded):]) == THERE[prefix]


def test_state_is_kept_once_it_is_installed(destination):
    make("install", f"DESTDIR={destination}")
    settings = (destination / "etc/default/pystatsd").read_text().splitlines()
    assert "STATE_DIR=/run/pystatsd" in settings
    assert "GAUGES_FILE=/var/lib/pystatsd/gauges/latest" in settings
    assert "ADMIN_SOCKET=/run/pystatsd/admin.sock" in settings
    shipped = (ROOT / "etc/default/pystatsd").read_text().splitlines()
    assert len(settings) == len(shipped)
    assert sum(ours != theirs for ours, theirs in zip(settings, shipped)) == 3


def test_the_pages_name_what_was_installed(destination):
    make("install", f"DESTDIR={destination}", "PREFIX=/opt/x")
    page = (destination / "opt/x/share/man/man8/pystatsd-server.8").read_text()
    named = re.findall(r"/\S+/share/\S+", page)
    assert len(named) == 2
    assert all((destination / path.lstrip("/")).exists() for path in named)


def test_edited_settings_are_kept(destination):
    make("install", f"DESTDIR={destination}")
    settings = destination / "etc/default/pystatsd"
    settings.write_text("PCT=95\n")
    make("install", f"DESTDIR={destination}")
    make("uninstall", f"DESTDIR={destination}")
    assert settings.read_text() == "PCT=95\n"
    assert files(destination) == {"etc/default/pystatsd"}


BUILD = ["build-essential", "libx-dev"]
CONTROL = """Source: x
Build-Depends:
 debhelper-compat (= 13),
 libx-dev (>= 1) | liby-dev [amd64],
 check <!nocheck>
# a comment
Standards-Version: 4

Package: x
Depends: not-asked-for
"""
TESTS_CONTROL = "Tests: a\nDepends: @, sink\n client\n"


class Machine:
    """debian/deps with a dpkg-query and an apt-get of ours."""

    def __init__(self, path, installed, uid=0, apt_works=True, debian=True):
        self.path = path
        for name in TOOLS:
            (path / "bin" / name).parent.mkdir(exist_ok=True)
            (path / "bin" / name).symlink_to(shutil.which(name))
        lines = "\n".join(f"ii ,{package}," for package in installed)
        self._stub("id", f"echo {uid}")
        self._stub("pkg-config", "exit 0")
        if debian:
            self._stub("dpkg-query", f"echo 'rc ,client,'\necho '{lines}'")
            self._stub("apt-get", f'echo "$@" >>"{path}/asked"\nexit {0 if apt_works else 100}')
        (path / "debian/tests").mkdir(parents=True)
        (path / "debian/control").write_text(CONTROL)
        (path / "debian/tests/control").write_text(TESTS_CONTROL.replace("sink\n", "sink,\n"))
        shutil.copy(ROOT / "debian/deps", path / "debian/deps")

    def _stub(self, name, body):
        stub = self.path / "bin" / name
        stub.write_text(f"#!/bin/sh\n{body}\n")
        stub.chmod(0o755)

    def deps(self, *args):
        """(exit status, what was printed, what apt-get was asked)."""
        done = subprocess.run(["sh", self.path / "debian/deps", *args], text=True,
                              env={"PATH": str(self.path / "bin")}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)
        asked = self.path / "asked"
        return done.returncode, done.stdout, asked.read_text() if asked.exists() else ""


ALL = [*BUILD, "debhelper,debhelper-compat (= 13)", "check", "sink", "client"]


@pytest.mark.parametrize("installed", [
    ALL,
    [name.replace("libx", "liby") for name in ALL],
    [name.replace("sink", "other,foo, sink (= 1), bar") for name in ALL],
])
def test_deps_does_nothing_where_all_is_there(installed, tmp_path):
    assert Machine(tmp_path, installed).deps() == (0, "", "")


def test_deps_installs_what_is_missing(tmp_path):
    status, _, asked = Machine(tmp_path, ["check", "sink"]).deps()
    assert status == 0
    update, install = asked.splitlines()
    assert update.endswith("update") and "--no-install-recommends" in install
    assert install.partition(" install ")[2] == "build-essential debhelper libx-dev client"


def test_deps_of_the_build_alone(tmp_path):
    machine = Machine(tmp_path, [])
    status, _, asked = machine.deps("build")
    assert status == 0
    assert asked.splitlines()[1].partition(" install ")[2] == "build-essential libx-dev"


def test_deps_of_the_build_that_are_there(tmp_path):
    assert Machine(tmp_path, BUILD).deps("build") == (0, "", "")


def test_make_run_needs_no_tests():
    """Some of what they use starts services of its own."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    done = subprocess.run(["make", "-n", "-C", ROOT, "run"], env=clean, check=True, text=True,
                          stdout=subprocess.PIPE)
    asked = [line for line in done.stdout.splitlines() if "debian/deps" in line]
    assert asked == ["sh debian/deps build"]


@pytest.mark.parametrize("kwargs", [{"uid": 1000}, {"apt_works": False}])
@pytest.mark.parametrize("installed, status", [(BUILD, 0), (BUILD[:1], 1), (BUILD[1:], 1)])
def test_deps_fails_only_where_nothing_can_be_built(kwargs, installed, status, tmp_path):
    got, said, asked = Machine(tmp_path, installed, **kwargs).deps()
    assert got == status
    assert "debhelper" in said and "sink client" in said
    assert not ("uid" in kwargs and asked)


def test_deps_elsewhere_than_on_debian(tmp_path):
    status, said, _ = Machine(tmp_path, [], debian=False).deps()
    assert status == 0 and said.startswith("not Debian: install ")
