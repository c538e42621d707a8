#!/usr/bin/python3
"""Checks what the project holds itself to: `lint.py [ROOT]`, or `make lint`.

Each rule is a function that takes the root and yields "path:line: what is wrong".
"""
import fnmatch
import importlib.util
import math
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import csource  # noqa: E402

TOP_LEVEL = {"src", "man", "init", "debian", "etc", "tests", "Makefile", "CHANGELOG", "README.md",
             "LICENSE", ".ci", ".clang-format", ".gitignore"}
NOT_OURS = [".git", "build", "build-*"]

# What a folder's files may include of ours, besides its own: folders or single headers.
LAYERS = {
    "base": [],
    "metric": ["base/*"],
    "pipe": ["base/*"],
    "worker": ["base/*", "metric/*", "pipe/*"],
    "sender": ["base/*", "pipe/*", "metric/point.h", "metric/dialect.h", "metric/gaugefile.h"],
    "master": ["base/*", "metric/*", "pipe/*", "worker/*", "sender/*"],
    "cli": ["client/pystatsd.h"],
    "client": [],
    "python": ["client/pystatsd.h"],
}
# What programs include: all in one, also for C++ and the oldest C.
PUBLIC = "src/client/pystatsd.h"
SOLE_INCLUDERS = {"confuse.h": "src/master/config.c", "systemd/*": "src/master/service.c",
                  "curses.h": "src/cli/top.c", "term.h": "src/cli/terminal.c"}

# Whose log_warn and log_warnx come once in a start or a stop.
SAID_ONCE = {
    "src/master/asking.c": {"asking_log"},
    "src/master/crew.c": {"log_end", "log_kill", "note_failure"},
    "src/master/daemon.c": {"remove_pidfile"},
    "src/master/listen.c": {"log_buffer"},
    "src/master/master.c": {"note_ready", "log_quota"},
    "src/sender/delivery.c": {"keep_the_rest"},
    "src/worker/worker.c": {"finish"},
}

# Whose events an operator asks for, or have a limit of another kind.
LIMITED_OTHERWISE = {
    "src/master/reload.c": {"?"},
    "src/sender/delivery.c": {"delivered", "log_failure"},
    "src/worker/trail.c": {"tell"},
}

FUNCTION_MEDIAN, FUNCTION_P90, FUNCTION_LONGEST = 15, 45, 70
FILE_LINES = 400
HEADER_PROTOTYPES = 8


class Missing(Exception):
    """A tool that a rule needs is not installed."""


# ---- files

def sources(root, *patterns):
    return sorted(path for pattern in patterns for path in (root / "src").glob(pattern))


def headers(root):
    return sources(root, "*/*.h")


def c_files(root):
    return sources(root, "*/*.[ch]")


def scripts(root, suffix, *interpreters):
    """Our scripts, known by suffix or by their first line."""
    found = []
    for folder in (".ci", "debian", "init", "tests"):
        for path in sorted((root / folder).rglob("*")):
            if path.is_file() and (path.suffix == suffix or _interpreter(path) in interpreters):
                found.append(path)
    return found


def _interpreter(path):
    with path.open("rb") as stream:
        first = stream.readline(80)
    words = first[2:].split() if first.startswith(b"#!") else []
    return words[0].decode("ascii", "replace").rsplit("/", 1)[-1] if words else None


def at(root, path, line, text):
    return f"{path.relative_to(root)}:{line}: {text}"


def tool(name, *args, cwd):
    """The output lines of a tool that failed; none where it was content."""
    words = shlex.split(name)
    if not shutil.which(words[0]):
        raise Missing(f"{words[0]} is not installed")
    done = subprocess.run([*words, *map(str, args)], cwd=cwd, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.stdout.splitlines() or [f"{name} failed"] if done.returncode else []


# ---- rules

def formatting(root):
    files = c_files(root) + sorted((root / "tests").rglob("*.[ch]"))
    if files:
        lines = tool("clang-format", "--dry-run", "-Werror", *files, cwd=root)
        places = re.findall(r"^(.+?):(\d+):\d+: error:", "\n".join(lines), re.M)
        for path, line in dict.fromkeys(places):
            yield at(root, Path(path), line, "not as clang-format would have it")
        if lines and not places:
            yield from lines


def include_directions(root):
    for path in c_files(root):
        folder = path.parent.name
        if folder not in LAYERS:
            yield at(root, path, 1, f"src/{folder} has no place among the layers")
            continue
        allowed = [f"{folder}/*", *LAYERS[folder]]
        for line, name, rest in csource.directives(path.read_text()):
            if name == "include" and rest.startswith('"'):
                yield from _own_include(root, path, line, rest.strip('"'), allowed)


def _own_include(root, path, line, header, allowed):
    if not re.fullmatch(r"\w+/\w+\.h", header) or not (root / "src" / header).exists():
        yield at(root, path, line, f'"{header}" is no "folder/file.h" below src/')
    elif not any(fnmatch.fnmatchcase(header, pattern) for pattern in allowed):
        yield at(root, path, line, f'{path.parent.name}/ may not include "{header}"')


def sole_includers(root):
    for path in c_files(root):
        for line, name, rest in csource.directives(path.read_text()):
            for pattern, owner in SOLE_INCLUDERS.items():
                if (name == "include" and fnmatch.fnmatchcase(rest, f"<{pattern}>")
                        and path.relative_to(root).as_posix() != owner):
                    yield at(root, path, line, f"{rest} belongs to {owner} alone")


def headers_stand_alone(root):
    compiler = os.environ.get("CC", "cc")
    for path in headers(root):
        yield from tool(compiler, "-std=gnu11", "-D_GNU_SOURCE", "-Isrc", "-Wall", "-Wextra",
                        "-Werror", "-fsyntax-only", "-x", "c", "-include",
                        path.relative_to(root / "src"), "/dev/null", cwd=root)


def public_header(root):
    path = root / PUBLIC
    if path.exists():
        strict = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", path]
        yield from tool(os.environ.get("CC", "cc"), "-std=c89", "-x", "c", *strict, cwd=root)
        yield from tool(os.environ.get("CXX", "c++"), "-std=c++98", "-x", "c++", *strict, cwd=root)


def guard_of(root, path):
    if path.relative_to(root).as_posix() == PUBLIC:
        return f"{path.stem}_H".upper()
    return f"{path.parent.name}_{path.stem}_H".upper()


def guards(root):
    for path in headers(root):
        name = guard_of(root, path)
        seen = [(kind, rest) for _, kind, rest in csource.directives(path.read_text())]
        if seen[:2] != [("ifndef", name), ("define", name)] or seen[-1][0] != "endif":
            yield at(root, path, 1, f"not guarded by {name}")


def include_circles(root):
    graph = {}
    for path in headers(root):
        graph[f"{path.parent.name}/{path.name}"] = [
            rest.strip('"') for _, name, rest in csource.directives(path.read_text())
            if name == "include" and rest.startswith('"')]
    done = set()

    def walk(header, trail):
        if header in trail:
            circle = [*trail[trail.index(header):], header]
            yield f"src/{header}:1: includes itself: {' > '.join(circle)}"
        elif header not in done:
            for below in graph.get(header, []):
                yield from walk(below, [*trail, header])
            done.add(header)

    for header in graph:
        yield from walk(header, [])


def function_lengths(root):
    lengths = []
    for path in c_files(root):
        for function in csource.functions(path.read_text()):
            lengths.append(function.length)
            if function.length > FUNCTION_LONGEST:
                yield at(root, path, function.line,
                         f"{function.name} has {function.length} lines, {FUNCTION_LONGEST} at most")
    lengths.sort()
    for share, most in ((0.5, FUNCTION_MEDIAN), (0.9, FUNCTION_P90)):
        if lengths and lengths[math.ceil(share * len(lengths)) - 1] > most:
            yield (f"src: {share:.0%} of the functions should have at most {most} lines, not "
                   f"{lengths[math.ceil(share * len(lengths)) - 1]}")


def file_lengths(root):
    for path in c_files(root):
        lines = path.read_text().count("\n")
        if lines > FILE_LINES:
            yield at(root, path, lines, f"{lines} lines, {FILE_LINES} at most")


def header_prototypes(root):
    for path in headers(root):
        text = path.read_text()
        lines = text.split("\n")
        prototypes = csource.prototypes(text)
        is_public = path.relative_to(root).as_posix() == PUBLIC
        if len(prototypes) > HEADER_PROTOTYPES and not is_public:
            yield at(root, path, 1, f"{len(prototypes)} prototypes, {HEADER_PROTOTYPES} at most")
        documented_until = None  # the last line of a prototype that has a comment, or shares one
        for prototype in prototypes:
            above = prototype.first - 1
            if lines[above - 1].rstrip().endswith("*/") or above == documented_until:
                documented_until = prototype.last
            else:
                yield at(root, path, prototype.first, f"{prototype.name} has no comment")


def conditionals(root):
    for path in c_files(root):
        if path.parent.name == "base":
            continue
        allowed = [guard_of(root, path)] if path.suffix == ".h" else []
        if path.relative_to(root).as_posix() == PUBLIC:
            allowed.append("__cplusplus")
        for line, name, rest in csource.directives(path.read_text()):
            if name in ("if", "ifdef", "ifndef", "elif", "else") and rest not in allowed:
                yield at(root, path, line, f"#{name} outside src/base")


def function_macros(root):
    for path in c_files(root):
        for line, name, rest in csource.directives(path.read_text()):
            if path.parent.name != "base" and name == "define" and re.match(r"\w+\(", rest):
                yield at(root, path, line, f"function-like macro {rest.split('(')[0]}")


def forbidden_words(root):
    for path in c_files(root):
        for number, line in enumerate(csource.code_only(path.read_text()).split("\n"), 1):
            if re.search(r"\balloca\s*\(", line):
                yield at(root, path, number, "alloca")
            if re.search(r"\btypedef\s+(struct|union)\b", line):
                yield at(root, path, number, "typedef of a struct")


def _warnings(text):
    """(offset, limit, who may do without) of what is told above debug level; without, None."""
    for call in re.finditer(r"\blog_warnx?\(", text):
        yield call.start(), None, SAID_ONCE
    for event in re.finditer(r"struct log_event\b[^;{]*(\{[^{}]*\})", text):
        limit = re.search(r"\.limit = (.*?)(?:,\s*\.|,?\s*\}$)", event.group(1), re.S)
        if re.search(r"LOG_(INFO|WARNING|ERR)\b", event.group(1)):
            said_limit = " ".join(limit.group(1).split()) if limit else None
            yield event.start(), said_limit, LIMITED_OTHERWISE


def warnings_are_limited(root):
    """What repeats is said once a minute, each kind for itself."""
    for path in sources(root, "*/*.c"):
        text, name, seen = csource.code_only(path.read_text()), path.relative_to(root).as_posix(), set()
        functions = csource.functions(text)
        for offset, limit, free in _warnings(text) if path.parent.name != "base" else ():
            line = text.count("\n", 0, offset) + 1
            inside = (it.name for it in functions if it.line <= line <= it.line + it.length)
            if limit is None and next(inside, "?") not in free.get(name, ()):
                yield at(root, path, line, "a warning without a limit")
            elif limit is not None and limit in seen:
                yield at(root, path, line, f"{limit} is another warning's limit, too")
            seen.add(limit)


def backward_gotos(root):
    for path in sources(root, "*/*.c"):
        for function in csource.functions(path.read_text()):
            labels = set()
            for offset, line in enumerate(function.body, 1):
                jump = re.search(r"\bgoto\s+(\w+)", line)
                if jump and jump.group(1) in labels:
                    yield at(root, path, function.line + offset, f"goto {jump.group(1)} backwards")
                label = re.match(r"\s*(\w+):(?!:)", line)
                if label:
                    labels.add(label.group(1))


def opening_comments(root):
    for path in c_files(root) + sorted((root / "tests").rglob("*.[ch]")):
        if not path.read_text().startswith("/*"):
            yield at(root, path, 1, "does not open with a comment on what the file owns")


def shell_scripts(root):
    files = scripts(root, ".sh", "sh", "bash", "dash")
    files += sorted((root / "etc/bash_completion.d").glob("*"))
    if files:
        yield from tool("shellcheck", "--format=gcc", *files, cwd=root)


def python_files(root):
    files = []
    for path in scripts(root, ".py", "python3"):
        try:
            compile(path.read_bytes(), str(path), "exec")
            files.append(path)
        except SyntaxError as error:
            yield at(root, path, error.lineno or 1, error.msg)
    if files and importlib.util.find_spec("pyflakes"):
        for finding in tool(sys.executable, "-m", "pyflakes", *files, cwd=root):
            path, line, what = re.match(r"(.+?):(\d+):\d+:? (.*)", finding).groups()
            if "# noqa" not in Path(path).read_text().split("\n")[int(line) - 1]:
                yield at(root, Path(path), line, what)


def top_level(root):
    for path in sorted(root.iterdir()):
        if path.name not in TOP_LEVEL and not any(
                fnmatch.fnmatchcase(path.name, pattern) for pattern in NOT_OURS):
            yield f"{path.name}:1: has no place at the top level"


def units_have_checks(root):
    for path in sources(root, "*/*.c"):
        if path.parent.name == "python":
            continue  # a Python tests it: tests/proc/test_python.py
        check = f"tests/unit/{path.parent.name}/check_{path.name}"
        if path.name != "main.c" and not (root / check).exists():
            yield at(root, path, 1, f"no {check}")


RULES = [formatting, include_directions, sole_includers, headers_stand_alone, public_header, guards,
         include_circles, function_lengths, file_lengths, header_prototypes, conditionals,
         function_macros, forbidden_words, warnings_are_limited, backward_gotos, opening_comments, shell_scripts,
         python_files, top_level, units_have_checks]


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    findings = 0
    for rule in RULES:
        try:
            for finding in rule(root):
                print(f"{finding}  [{rule.__name__}]")
                findings += 1
        except Missing as missing:
            print(f"skipped {rule.__name__}: {missing}")
    print(f"lint: {len(RULES)} rules, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
