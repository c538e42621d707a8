"""Each system call fails once in each process: a clean error at the start or a restart, and never
a wrong value."""

import os
import re
import time

import pytest

from lib import chaos, strace
from lib.wait import until

pytestmark = pytest.mark.skipif(
    bool(strace.missing()), reason=strace.missing() or "strace is there"
)
RATE = 1_000
HANG_S = 20
TOLD = re.compile(r"\[(ERROR|WARNING)\]|pystatsd-server: ")
OURS = re.compile(r"\[INFO\]|\[ERROR\]|\[WARNING\]|pystatsd-server: (?!error while loading)")
NUMBERS = chaos.pick([1], [1, 2, 4, 9])

# What the daemon calls, and how that fails in life.
ERRORS = {
    "accept4": ["EMFILE"],
    "bind": ["EADDRINUSE"],
    "brk": ["ENOMEM"],
    "clone": ["EAGAIN"],
    "clone3": ["EAGAIN"],
    "close": ["EIO"],
    "connect": ["EINTR", "EAGAIN", "ECONNREFUSED"],
    "epoll_create1": ["EMFILE"],
    "epoll_ctl": ["ENOMEM"],
    "epoll_wait": ["EINTR"],
    "eventfd2": ["EMFILE"],
    "fallocate": ["EINTR", "ENOSPC"],
    "fcntl": ["EAGAIN"],
    "fdatasync": ["EIO", "ENOSPC"],
    "flock": ["EINTR"],
    "fsync": ["EIO"],
    "fstat": ["EIO"],
    "newfstatat": ["EIO"],
    "ftruncate": ["ENOSPC"],
    "futex": ["EAGAIN"],
    "getdents64": ["EIO"],
    "getrandom": ["EINTR"],
    "getsockopt": ["ENOBUFS"],
    "ioctl": ["EIO"],
    "madvise": ["ENOMEM"],
    "memfd_create": ["EMFILE"],
    "mkdir": ["ENOSPC"],
    "mkdirat": ["ENOSPC"],
    "mmap": ["ENOMEM"],
    "mprotect": ["ENOMEM"],
    "munmap": ["ENOMEM"],
    "openat": ["EMFILE", "ENFILE"],
    "pipe2": ["EMFILE"],
    "poll": ["EINTR", "ENOMEM"],
    "pread64": ["EIO"],
    "pwrite64": ["EIO"],
    "read": ["EINTR", "EIO"],
    "recvfrom": ["EINTR", "ECONNRESET", "ETIMEDOUT"],
    "recvmmsg": ["EINTR", "ENOMEM", "ENOBUFS"],
    "recvmsg": ["ENOBUFS"],
    "renameat": ["ENOSPC"],
    "sendmsg": ["EINTR", "ENOBUFS", "EPIPE"],
    "sendto": ["EINTR", "ENOBUFS", "EPIPE"],
    "setsockopt": ["ENOBUFS"],
    "shutdown": ["ENOTCONN"],
    "signalfd4": ["EMFILE"],
    "socket": ["EMFILE", "ENOBUFS"],
    "socketpair": ["ENFILE"],
    "timerfd_create": ["EMFILE"],
    "timerfd_settime": ["ECANCELED"],
    "uname": ["EFAULT"],
    "unlinkat": ["EIO"],
    "wait4": ["EINTR"],
    "write": ["EINTR", "EIO", "ENOSPC"],
    "writev": ["EINTR", "EPIPE"],
}
# These cannot fail, or a failure of theirs ends in the C library.
EXEMPT = set(
    """access alarm arch_prctl capset clock_gettime clock_nanosleep close_range execve exit
    exit_group getegid geteuid getgid getpid getppid getsockname gettid getuid kill lseek prctl
    prlimit64 readlink rseq rt_sigaction rt_sigprocmask rt_sigreturn sched_getaffinity
    sched_yield set_robust_list set_tid_address setgid setgroups setresgid setresuid setsid setuid
    statfs sysinfo tgkill time umask vfork waitid getpgrp setpgid getpeername dup dup2 dup3
    faccessat2 getgroups getresgid getresuid capget chdir chown fchown fchmod fchownat fchmodat utimensat unlink link symlink
    restart_syscall gettimeofday uname readlinkat faccessat statx getcwd pidfd_open
    rt_sigtimedwait rt_sigsuspend ppoll select pselect6 nanosleep""".split()
)
CASES = [(call, error) for call, errors in ERRORS.items() for error in errors]
SHORT = [("recvmmsg", "ENOMEM"), ("write", "EIO"), ("sendto", "EPIPE"), ("fallocate", "ENOSPC")]


def settings(kept, users):
    return {
        **chaos.SETTINGS,
        "STATE_DIR": os.path.join(kept, "state"),
        "SPOOL_DIR": os.path.join(users, "spool"),
        "GAUGES_FILE": os.path.join(users, "gauges"),
        "CONNECT_TIMEOUT": "1",
        "SEND_TIMEOUT": "1",
    }


def assert_clean_error(daemon):
    """It has said why, and left nothing. What fails in the loader of programs is none of ours."""
    assert daemon.process.returncode != 0
    if OURS.search(daemon.log):
        assert daemon.process.returncode > 0 and TOLD.search(daemon.log), daemon.log
    assert not daemon.group()


def starts(daemon):
    """Whether it came to serve; that it tells its supervisor so may be what fails."""
    daemon.start(wait=False)

    def look():
        told = daemon.notify.count("READY=1") or "] master: serving " in daemon.log
        return told or daemon.process.poll() is not None

    until(look, "the daemon to serve or to end", HANG_S)
    return daemon.process.poll() is None


def fail_once(daemons, sink, loads, kept, users, call, error, number):
    """Returns whether a call has failed."""
    output = os.path.join(users, "strace")
    traced = {
        "wrapper": strace.wrapper(output, call, error, number),
        "environment": strace.ENVIRONMENT,
    }
    daemon = daemons(sink, settings(kept, users), start=False, **traced)
    if not starts(daemon):
        assert_clean_error(daemon)
        return strace.n_injected(output) > 0
    load = loads(daemon, rate=RATE)
    time.sleep(1.5)  # of the load, with at least a flush
    if daemon.process.poll() is None:
        strace.detach(daemon.pid)
    n_injected = strace.n_injected(output)
    if daemon.process.poll() is not None:
        assert_clean_error(daemon)
        load.stop()
        assert daemons(sink, settings(kept, users)).stop() == 0
        return n_injected > 0
    chaos.finish(daemon, sink, load)
    return n_injected > 0


@pytest.mark.parametrize("call, error", CASES if chaos.FULL else SHORT)
def test_call_fails(daemons, sinks, loads, kept, users, call, error):
    for number in NUMBERS:
        mine = os.path.join(kept, f"number{number}"), os.path.join(users, f"number{number}")
        for path in mine:
            os.mkdir(path)
            os.chmod(path, 0o777)
        if not fail_once(daemons, sinks(), loads, *mine, call, error, number):
            break


@pytest.mark.full
def test_calls_are_known(daemons, sink, loads, kept, users):
    """Whatever the daemon calls is above."""
    output = os.path.join(users, "strace")
    wrapper = [strace.PROGRAM, "-DDD", "-f", "-qq", "-o", output]
    daemon = daemons(
        sink, settings(kept, users), wrapper=wrapper, environment=strace.ENVIRONMENT
    )
    load = loads(daemon, rate=RATE)
    sink.wait_batches(1)
    sink.refuse()
    until(lambda: daemon.warnings(str(sink.port)), "carbon to be missed")
    time.sleep(1.5)  # until something is spooled
    sink.listen()
    sink.wait_batches(3, 30)
    chaos.await_backlog(sink, 30)
    chaos.finish(daemon, sink, load)
    with open(output, encoding="utf-8", errors="replace") as file:
        called = set(re.findall(r"^\d+ (?:<\.\.\. )?(\w+)[( ]", file.read(), re.M))
    unknown = called - set(ERRORS) - EXEMPT
    assert not unknown, sorted(unknown)
