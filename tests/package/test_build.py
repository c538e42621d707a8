"""The package as an archive would look at it."""

import hashlib
import os
import subprocess

import pytest

from lib import package
from lib.daemon import installed


def needs(tool):
    return pytest.mark.skipif(not installed(tool), reason=f"{tool} is not installed")


def run(*argv, **kwargs):
    """Its output; fails where it does."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False, **kwargs)
    assert done.returncode == 0, done.stdout
    return done.stdout


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def test_same_bytes_twice(built, workshop):
    """At another place, by another umask."""
    before = os.umask(0o077)
    try:
        again = package.Built(package.copy(os.path.join(workshop, "built-elsewhere")))
    finally:
        os.umask(before)
    for pattern in ("pystatsd_*.deb", "pystatsd-dbgsym_*.deb", "libpystatsd0_*.deb",
                    "libpystatsd-dev_*.deb", "python3-pystatsd_*.deb"):
        assert digest(built.find(pattern)) == digest(again.find(pattern))


@needs("lintian")
def test_lintian(built):
    run(*package.as_user(), "lintian", "--pedantic", "-EvIL", "+pedantic",
        "--fail-on=error,warning", built.find("pystatsd_*.changes"),
        env={"PATH": "/usr/bin:/bin", "HOME": built.place, "LC_ALL": "C.UTF-8"})


@needs("blhc")
def test_compiler_flags(built):
    log = os.path.join(built.place, "log")
    with open(log, "w", encoding="utf-8") as file:
        file.write(built.log)
    run("blhc", "--all", "--debian", log)


@needs("hardening-check")
def test_hardening(built, tmp_path):
    root = built.unpack(tmp_path)
    run("hardening-check", "--nocfprotection", os.path.join(root, "usr/bin/pystatsd-server"))


@needs("hardening-check")
def test_hardening_of_the_library(built, tmp_path):
    built.unpack(tmp_path, "libpystatsd0")
    path, = tmp_path.glob("usr/lib/*/libpystatsd.so.0")
    run("hardening-check", "--nopie", "--nocfprotection", str(path))


def test_debug_symbols(built, tmp_path):
    run("dpkg-deb", "-x", built.find("pystatsd-dbgsym_*.deb"), str(tmp_path))
    assert list(tmp_path.rglob("*.debug"))
