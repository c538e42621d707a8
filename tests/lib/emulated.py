"""A whole machine, emulated: with a kernel of its own, which enforces what a container's cannot.

It is slow, and has nothing of this machine but a shell at its console."""

import glob
import os
import platform
import select
import subprocess
import time

from lib.daemon import installed

TOOLS = ("qemu-system-x86_64", "cpio", "mmdebstrap")
ARCHITECTURE = "x86_64"
KERNEL = "linux-image-cloud-amd64"
MEMORY_MB = 1024
# The first line is the kernel's, the second the shell's. There is no udev, hence no getty.
SERIAL = ("ttyS0", "ttyS1")
ARGUMENTS = (f"console={SERIAL[0]} rdinit=/lib/systemd/systemd panic=-1 systemd.show_status=no "
             f"systemd.getty_auto=no systemd.mask=serial-getty@{SERIAL[0]}.service")
SHELL = f"""[Unit]
DefaultDependencies=no
[Service]
Type=idle
ExecStart=/bin/sh -c 'stty raw -echo; echo ready; cat | sh'
StandardInput=tty-force
StandardOutput=tty
TTYPath=/dev/{SERIAL[1]}
"""
BOOT_S = 180
COMMAND_S = 120


def missing():
    """Why none can be had here, or ""."""
    if platform.machine() != ARCHITECTURE:
        return f"its kernel is one for {ARCHITECTURE}"
    absent = [tool for tool in TOOLS if not installed(tool)]
    return f"{', '.join(absent)}: not installed" if absent else ""


def kernel_hook(place):
    """What has mmdebstrap download the kernel's package as well."""
    return (f"cd {place} && export APT_CONFIG=$MMDEBSTRAP_APT_CONFIG && apt-get -qq download "
            f"$(apt-cache depends {KERNEL} | sed -n 's/^ *Depends: //p')")


def unpack_kernel(place):
    """The kernel of the package that is there."""
    (deb,) = glob.glob(os.path.join(place, "linux-image-*.deb"))
    subprocess.run(["dpkg-deb", "-x", deb, place], check=True)
    (kernel,) = glob.glob(os.path.join(place, "boot/vmlinuz-*"))
    return kernel


class Emulated:
    """One that is on between start() and stop(). Its disk is a copy of the root, in its memory."""

    def __init__(self, root, kernel, log):
        self.root = str(root)
        self.kernel = kernel
        self.log = str(log)
        self._qemu = None
        self._said = b""
        self._n = 0

    def start(self):
        disk = self._make_disk()
        argv = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-smp", "2",
                "-m", str(MEMORY_MB), "-nodefaults", "-no-reboot", "-display", "none",
                "-serial", f"file:{self.log}", "-serial", "stdio",
                "-kernel", self.kernel, "-initrd", disk, "-append", ARGUMENTS]
        self._qemu = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._read_until(b"ready\n", BOOT_S)
        return self

    def _make_disk(self):
        unit = os.path.join(self.root, "etc/systemd/system/shell.service")
        with open(unit, "w", encoding="ascii") as file:
            file.write(SHELL)
        wants = os.path.join(self.root, "etc/systemd/system/multi-user.target.wants/shell.service")
        os.symlink("/etc/systemd/system/shell.service", wants)
        disk = f"{self.root}.cpio"
        subprocess.run(f"find . -xdev | cpio --quiet -o -H newc >'{disk}'", shell=True,
                       cwd=self.root, check=True)
        return disk

    def _read_until(self, end, timeout_s):
        """What its shell says up to there."""
        deadline = time.monotonic() + timeout_s
        while end not in self._said:
            left_s = deadline - time.monotonic()
            ready, _, _ = select.select([self._qemu.stdout], [], [], max(left_s, 0))
            assert ready, f"{timeout_s} s in vain; the console: {self.log}, the shell: {self._said}"
            data = os.read(self._qemu.stdout.fileno(), 65536)
            assert data, f"it is off; the console: {self.log}"
            self._said += data
        text, _, self._said = self._said.partition(end)
        return text.decode("utf-8", "replace")

    def run(self, command, check=True, timeout_s=COMMAND_S):
        """Runs a line of shell in it; returns what it printed."""
        self._n += 1
        line = f"{{ {command}\n}} </dev/null 2>&1; echo \"=$?={self._n}\"\n"
        self._qemu.stdin.write(line.encode("ascii"))
        self._qemu.stdin.flush()
        said = self._read_until(f"={self._n}\n".encode("ascii"), timeout_s)
        output, _, status = said.rpartition("=")
        assert not check or status == "0", (command, status, output)
        return subprocess.CompletedProcess(command, int(status), output)

    def stop(self):
        if self._qemu is not None:
            self._qemu.kill()
            self._qemu.communicate()
            self._qemu = None
