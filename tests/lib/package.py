"""The Debian package, built in a clean copy of the sources by an ordinary user."""

import glob
import io
import os
import shutil
import subprocess
import tarfile

from lib.daemon import AS_NOBODY, IS_ROOT, ROOT

TOOLS = ("dpkg-buildpackage", "dh", "fakeroot")
NOT_SOURCE = shutil.ignore_patterns(".git", "build", "build-*", "__pycache__", ".pytest_cache")
NEWER = """pystatsd ({version}) UNRELEASED; urgency=medium

  * The same, built again.

 -- The pystatsd authors <pystatsd@users.noreply.github.com>  Thu, 01 Jan 2026 00:00:01 +0000

"""


def version():
    with open(os.path.join(ROOT, "debian/changelog"), encoding="utf-8") as file:
        return file.readline().split("(")[1].split(")")[0]


def copy(place, newer=""):
    """A clean copy of the sources below a new directory, for nobody; returns its path."""
    source = os.path.join(str(place), "source")
    shutil.copytree(ROOT, source, symlinks=True, ignore=NOT_SOURCE)
    if newer:
        changelog = os.path.join(source, "debian/changelog")
        with open(changelog, encoding="utf-8") as file:
            text = file.read()
        with open(changelog, "w", encoding="utf-8") as file:
            file.write(NEWER.format(version=newer) + text)
    if IS_ROOT:
        subprocess.run(["chown", "-R", "nobody:nogroup", str(place)], check=True)
    return source


class Built:
    """What dpkg-buildpackage has made: files beside the source, and what it said."""

    def __init__(self, source):
        self.source = source
        self.place = os.path.dirname(source)
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "DEB_", "MFLAGS"))}
        private = {"HOME": self.place, "TMPDIR": self.place}
        done = subprocess.run(
            [*as_user(), "dpkg-buildpackage", "-us", "-uc", "-rfakeroot"],
            cwd=source,
            env={**clean, **private, "DEB_BUILD_OPTIONS": "parallel=2"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        self.log = done.stdout
        assert done.returncode == 0, self.log

    def find(self, pattern):
        """The one file of that name."""
        found = glob.glob(os.path.join(self.place, pattern))
        assert len(found) == 1, (pattern, found)
        return found[0]

    @property
    def deb(self):
        return self.find("pystatsd_*.deb")

    @property
    def debs(self):
        """All of its packages that somebody would install."""
        return [self.find(f"{name}_*.deb") for name in
                ("pystatsd", "libpystatsd0", "libpystatsd-dev", "python3-pystatsd")]

    def unpack(self, where, name="pystatsd"):
        subprocess.run(["dpkg-deb", "-x", self.find(f"{name}_*.deb"), str(where)], check=True)
        return str(where)

    def files(self, name):
        """The paths in one of its packages."""
        done = subprocess.run(["dpkg-deb", "--fsys-tarfile", self.find(f"{name}_*.deb")],
                              check=True, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            return {it.name.removeprefix("./") for it in archive if not it.isdir()}


def as_user():
    return AS_NOBODY if IS_ROOT else []


def needed(debs):
    """The names of the packages that some depend on, without these."""
    found, ours = set(), {os.path.basename(deb).split("_")[0] for deb in debs}
    for deb in debs:
        done = subprocess.run(["dpkg-deb", "-f", deb, "Pre-Depends", "Depends"], check=True,
                              capture_output=True, text=True)
        fields = [line.partition(": ")[2] for line in done.stdout.splitlines()]
        found |= {item.split()[0] for field in fields for item in field.split(",")}
    return sorted(found - ours)
