"""libpystatsd as programs use it: compiled against its header, in C and in C++, linked with the
shared and the static library, sending to the real daemon."""

import os
import re
import shutil
import socket
import subprocess

import pytest

from lib.daemon import BUILD, ROOT, installed

IS_BUILD_TREE = os.path.exists(os.path.join(BUILD, "libpystatsd.so.0"))
SANITIZERS = ["-fsanitize=address,undefined"] if "sanitize" in BUILD else []
# All but server: valgrind 3.19 has no pidfd_open(2).
UNITS = ["clean", "client", "forks", "lookup", "number", "peer", "sample"]

SEND = """
#include <errno.h>
#include <locale.h>
#include <pystatsd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
    struct pystatsd_options options;
    struct pystatsd_client *client;
    const char *names[2];
    int error = argc == 4 ? 0 : -EINVAL;
    long i;

    if (setlocale(LC_ALL, "") == NULL || strcmp(localeconv()->decimal_point, argv[3]) != 0)
        return 3;
    memset(&options, 0, sizeof options);
    if (argv[1][0] == '/' || argv[1][0] == '@')
        options.unix_path = argv[1];
    else
        options.port = (unsigned)atoi(argv[1]);
    options.buffer_bytes = (unsigned)atoi(argv[2]);
    options.prefix = "lib";
    names[0] = "up";
    names[1] = "x\\ny";
    if (error == 0)
        error = pystatsd_client_new(&options, &client);
    if (error != 0)
        return 1;
    for (i = 0; i < 1000 && error == 0; i++)
        error = pystatsd_increment(client, "n", 1);
    if (error == 0)
        error = pystatsd_update_stats(client, names, 2, -7L, 1);
    if (error == 0)
        error = pystatsd_count(client, "half", 0.5, 1);
    if (error == 0)
        error = pystatsd_gauge(client, "g", 42.5, 0.9999999999999999);
    if (error == 0)
        error = pystatsd_gauge(client, "small", 0.0000125, 1);
    if (error == 0)
        error = pystatsd_gauge(client, "large", 1e22, 1);
    if (error == 0)
        error = pystatsd_count(client, "fine", 0.30000000000000004, 1);
    if (error == 0)
        error = pystatsd_timing(client, "t", 1.5, 1);
    if (error == 0)
        error = pystatsd_set(client, "s", "a", 1);
    if (error == 0)
        error = pystatsd_set(client, "s", "b", 1);
    if (error == 0)
        error = pystatsd_flush(client);
    if (error != 0)
        fprintf(stderr, "%s\\n", strerror(-error));
    pystatsd_client_free(client);
    return error != 0;
}
"""

LINES = """lib.up:-7|c lib.x_y:-7|c lib.half:0.5|c lib.g:42.500000|g|@0.9999999999999999
lib.small:0.000013|g lib.large:10000000000000000000000.000000|g lib.fine:0.30000000000000004|c
lib.t:1.500000|ms lib.s:a|s lib.s:b|s""".split()


def run(*argv, **kwargs):
    """Its output; fails where it does."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False, **kwargs)
    assert done.returncode == 0, done.stdout
    return done.stdout


def flags():
    """What compiles and links with the library that was built, or with the one that is installed."""
    if IS_BUILD_TREE:
        return [f"-I{ROOT}/src/client", f"-L{BUILD}", f"-Wl,-rpath,{BUILD}", "-lpystatsd"]
    return run("pkg-config", "--cflags", "--libs", "pystatsd").split()


def library():
    """The path of the shared library."""
    if IS_BUILD_TREE:
        return os.path.join(BUILD, "libpystatsd.so.0")
    return os.path.join(run("pkg-config", "--variable=libdir", "pystatsd").strip(),
                        "libpystatsd.so.0")


def compile_program(place, text, *options, compiler="cc", suffix="c", link=None):
    source = os.path.join(place, f"program.{suffix}")
    program = os.path.join(place, "program")
    with open(source, "w", encoding="ascii") as file:
        file.write(text)
    run(compiler, "-Wall", "-Wextra", "-pedantic", "-Werror", *SANITIZERS, *options, "-o", program,
        source, *(link or flags()))
    return program


@pytest.fixture(autouse=True)
def compilers():
    if not IS_BUILD_TREE and not installed("pkg-config"):
        pytest.skip("the library is not built")
    if not installed("cc") or not installed("c++"):
        pytest.skip("no compiler is installed")


@pytest.fixture
def program(place):
    return compile_program(place, SEND, "-std=c89")


def assert_arrived(daemon, n=1000):
    daemon.sink.wait_total("stats.sets.lib.s.count", 2)
    assert daemon.sink.total("stats.lib.n") == n
    assert daemon.sink.total("stats.lib.up") == daemon.sink.total("stats.lib.x_y") == -7
    assert daemon.sink.total("stats.lib.half") == 0.5
    assert daemon.sink.last("stats.lib.g") == 42.5
    assert daemon.sink.last("stats.lib.large") == 1e22
    assert daemon.sink.total("stats.timers.lib.t.upper") == 1.5


@pytest.mark.parametrize("buffer_bytes", [0, 1432])
def test_to_the_server(daemon, program, buffer_bytes):
    """By name: "localhost", whichever address the daemon has of it."""
    run(program, str(daemon.port), str(buffer_bytes), ".", env={"LC_ALL": "C"})
    assert_arrived(daemon)


def test_cpp(daemon, place):
    program = compile_program(place, SEND, "-std=c++98", compiler="c++", suffix="cpp")
    run(program, str(daemon.port), "1432", ".", env={"LC_ALL": "C"})
    assert_arrived(daemon)


def test_static(daemon, place):
    """Beside a program's own functions of names that the library uses inside."""
    own = "int clean_name(void);\nint clean_name(void) { return 1; }\n"
    archive = os.path.join(os.path.dirname(library()), "libpystatsd.a")
    link = [*(flag for flag in flags() if flag.startswith("-I")), archive, "-pthread"]
    program = compile_program(place, SEND + own, link=link)
    assert "libpystatsd" not in run("ldd", program)
    run(program, str(daemon.port), "100", ".", env={"LC_ALL": "C"})
    assert_arrived(daemon)


@pytest.fixture
def receiver():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        made.bind(("127.0.0.1", 0))
        made.settimeout(10)
        yield made


def receive_lines(receiver, n):
    lines = []
    while len(lines) < n:
        lines += receiver.recv(65536).decode("ascii").split("\n")
    return lines


def test_no_locale_changes_the_bytes(place, program, receiver):
    if not installed("localedef") or not os.path.exists("/usr/share/i18n/locales/de_DE"):
        pytest.skip("no locales to be had")
    run("localedef", "-i", "de_DE", "-f", "UTF-8", os.path.join(place, "de_DE.UTF-8"))
    environment = {"LOCPATH": place, "LC_ALL": "de_DE.UTF-8"}
    run(program, str(receiver.getsockname()[1]), "1432", ",", env=environment)
    assert receive_lines(receiver, 1000 + len(LINES))[1000:] == LINES


def test_unix_socket(place, program):
    path = os.path.join(place, "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(10)
        process = subprocess.Popen([program, path, "1432", "."], env={"LC_ALL": "C"})
        # Whatever it could not buffer or send ends it; what waits in the socket is 16 KiB or so.
        lines = receive_lines(receiver, 1000 + len(LINES))
        assert process.wait(10) == 0
    assert lines == ["lib.n:1|c"] * 1000 + LINES


def test_no_server(program):
    """It ends at once, says why, and dies of nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        holder.connect(("127.0.0.1", 9))  # from now on it takes nothing from anybody else
        done = subprocess.run([program, str(holder.getsockname()[1]), "0", "."],
                              env={"LC_ALL": "C"}, timeout=20, capture_output=True, text=True,
                              check=False)
    assert (done.returncode, done.stderr) == (1, "Connection refused\n")


def test_what_is_exported():
    """What the map names and the header declares, all of one version, and nothing else."""
    if not installed("nm"):
        pytest.skip("no nm")
    listed = run("nm", "-D", "--defined-only", library())
    exported = set(re.findall(r" T (\w+)@@PYSTATSD_0$", listed, re.M))
    with open(os.path.join(ROOT, "src/client/libpystatsd.map"), encoding="ascii") as file:
        assert exported == set(re.findall(r"^ +(pystatsd_\w+);$", file.read(), re.M))
    # A sanitizer adds its own.
    others = [line for line in listed.splitlines() if "@@PYSTATSD_0" not in line]
    assert SANITIZERS or [line.split()[-1] for line in others] == ["PYSTATSD_0"]


def test_soname_and_flags():
    dynamic = run("readelf", "-dW", library())
    assert re.search(r"SONAME.*\[libpystatsd\.so\.0\]", dynamic)
    assert "BIND_NOW" in dynamic and "NODELETE" in dynamic and "TEXTREL" not in dynamic
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    assert SANITIZERS or needed == ["libc.so.6"]


def test_debian_symbols():
    with open(os.path.join(ROOT, "debian/libpystatsd0.symbols"), encoding="ascii") as file:
        listed = re.findall(r"^ (pystatsd_\w+)@PYSTATSD_0 ", file.read(), re.M)
    with open(os.path.join(ROOT, "src/client/libpystatsd.map"), encoding="ascii") as file:
        assert listed == re.findall(r"^ +(pystatsd_\w+);$", file.read(), re.M)


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.skipif(bool(SANITIZERS), reason="sanitizers look themselves")
def test_valgrind(unit, place):
    binary = os.path.join(BUILD, "tests/unit/client", f"check_{unit}")
    if not installed("valgrind") or not os.path.exists(binary):
        pytest.skip("valgrind is not installed, or the checks are not built")
    run("valgrind", "-q", "--error-exitcode=9", "--leak-check=full", binary,
        env={**os.environ, "CK_FORK": "no", "CK_DEFAULT_TIMEOUT": "0", "CHECK_BRIEF": "yes",
             "TMPDIR": place})


def test_pkg_config(place):
    """Of an installation, wherever it is."""
    if not IS_BUILD_TREE or not installed("pkg-config"):
        pytest.skip("what is installed is looked at by the others")
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    root = os.path.join(place, "root")
    given = [f"{name}={os.path.join(BUILD, file)}" for name, file in
             (("SERVER", "pystatsd-server"), ("CLIENT_SO", "libpystatsd.so.0"),
              ("CLIENT_A", "libpystatsd.a"), ("PYTHON_MODULE", "python/pystatsd.abi3.so"))]
    fixed = [word for it in given for word in ("-o", it.partition("=")[2])]
    run("make", "-s", "-C", ROOT, *fixed, *given, "install", f"DESTDIR={root}", "PREFIX=/opt/x",
        "LIBDIR=/opt/x/lib/some-linux-gnu", env={**clean, "MAKEFLAGS": ""})
    folder = os.path.join(root, "opt/x/lib/some-linux-gnu")
    environment = {"PATH": os.environ["PATH"], "PKG_CONFIG_SYSROOT_DIR": root,
                   "PKG_CONFIG_LIBDIR": os.path.join(folder, "pkgconfig")}
    said = run("pkg-config", "--cflags", "--libs", "pystatsd", env=environment).split()
    assert said == [f"-I{root}/opt/x/include", f"-L{folder}", "-lpystatsd"]
    compile_program(place, SEND, link=[*said, f"-Wl,-rpath,{folder}"])
    for name in os.listdir(os.path.join(root, "opt/x/share/man/man3")):
        page = os.path.join(root, "opt/x/share/man/man3", name)
        assert os.path.exists(page) and (os.path.islink(page) or name == "libpystatsd.3")
    shutil.rmtree(root)
