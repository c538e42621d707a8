"""The tree keeps every rule, and every rule fires on a tree that breaks it."""
import subprocess
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))
import csource  # noqa: E402
import lint  # noqa: E402

ROOT = Path(__file__).parents[2]

HEADER = """/* x */
#ifndef BASE_X_H
#define BASE_X_H

/* Does it. */
int x_do(int n);

#endif
"""
SOURCE = """/* x: does it. */
#include "base/x.h"

int
x_do(int n)
{
    return n;
}
"""
GOOD = {"src/base/x.h": HEADER, "src/base/x.c": SOURCE,
        "tests/unit/base/check_x.c": "/* checks of x */\nint x;\n",
        "tests/run": "#!/usr/bin/python3\nprint(1)\n", ".ci/run": "#!/bin/bash\nset -eu\n"}


def header(folder, name, *lines):
    guard = f"{folder}_{name}_H".upper()
    body = "".join(f"{line}\n" for line in [*lines, ""] if lines)
    return f"/* {name} */\n#ifndef {guard}\n#define {guard}\n\n{body}#endif\n"


def function(name, n_lines):
    return f"\nint\n{name}(int n)\n{{\n" + "    n++;\n" * (n_lines - 1) + "    return n;\n}\n"


SAYS = "/* */\nvoid\nsay(void)\n{{\n    {};\n}}\n"
PROTOTYPES = [f"/* Number {i}. */\nint x_{i}(void);\n" for i in range(9)]

# rule, the file that breaks it, its text, what the finding says
BAD = [
    ("formatting", "src/base/x.c", SOURCE.replace("    return", "  return"), "x.c:6: not as"),
    ("include_directions", "src/base/x.c", '/* */\n#include "worker/w.h"\n', "may not include"),
    ("include_directions", "src/sender/s.c", '/* */\n#include "metric/m.h"\n', "may not include"),
    ("include_directions", "src/pipe/p.c", '/* */\n#include "metric/m.h"\n', "may not include"),
    ("include_directions", "src/metric/p.c", '/* */\n#include "pipe/p.h"\n', "may not include"),
    ("include_directions", "src/worker/p.c", '/* */\n#include "sender/s.h"\n', "may not include"),
    ("include_directions", "src/cli/x.c", '/* */\n#include "base/x.h"\n', "may not include"),
    ("include_directions", "src/client/c.c", '/* */\n#include "base/x.h"\n', "may not include"),
    ("include_directions", "src/base/x.c", '/* */\n#include "x.h"\n', "is no \"folder/file.h\""),
    ("include_directions", "src/odd/x.c", "/* */\n", "no place among the layers"),
    ("sole_includers", "src/master/args.c", "/* */\n#include <confuse.h>\n", "config.c alone"),
    ("sole_includers", "src/base/x.c", "/* */\n# include <systemd/sd-daemon.h>\n", "service.c"),
    ("sole_includers", "src/cli/canvas.c", "/* */\n#include <curses.h>\n", "top.c alone"),
    ("headers_stand_alone", "src/base/x.h", header("base", "x", "size_t x;"), "size_t"),
    ("public_header", "src/client/pystatsd.h", "int x; // x\n", "C++ style comments"),
    ("public_header", "src/client/pystatsd.h", "int class;\n", "class"),
    ("guards", "src/client/pystatsd.h", header("client", "pystatsd"), "by PYSTATSD_H"),
    ("guards", "src/base/x.h", HEADER.replace("BASE_X_H", "X_H"), "BASE_X_H"),
    ("guards", "src/base/x.h", "#pragma once\n", "BASE_X_H"),
    ("include_circles", "src/base/x.h", header("base", "x", '#include "base/x.h"'), "base/x.h >"),
    ("function_lengths", "src/base/x.c", SOURCE + function("y", 71), "y has 71 lines"),
    ("function_lengths", "src/base/x.c", function("y", 16), "50% of the functions"),
    ("function_lengths", "src/base/x.c", SOURCE * 5 + function("y", 46), "90% of the functions"),
    ("file_lengths", "src/base/x.c", "\n" * 401, "401 lines"),
    ("header_prototypes", "src/base/x.h", header("base", "x", *PROTOTYPES), "9 prototypes"),
    ("header_prototypes", "src/base/x.h", header("base", "x", "int x(void);"), "x has no comment"),
    ("header_prototypes", "src/base/x.h",
     header("base", "x", "/* X. */\nint x(void);\n\nint y(void);"), "y has no comment"),
    ("header_prototypes", "src/client/pystatsd.h", 'extern "C" {\nint x(void);\n}\n', "x has no"),
    ("conditionals", "src/client/api.h", "#ifdef __cplusplus\n#endif\n", "#ifdef outside"),
    ("conditionals", "src/metric/m.c", "/* */\n#ifdef NDEBUG\n#endif\n", "#ifdef outside"),
    ("conditionals", "src/metric/m.h", header("metric", "m", "#if 1\n#endif"), "#if outside"),
    ("function_macros", "src/metric/m.c", "/* */\n#define MAX(a, b) a\n", "MAX"),
    ("forbidden_words", "src/base/x.c", "/* */\nint *x = alloca(3);\n", "alloca"),
    ("forbidden_words", "src/base/x.h", "/* */\ntypedef struct x x;\n", "typedef"),
    ("warnings_are_limited", "src/worker/x.c", SAYS.format('log_warnx("x")'), "x.c:5: a warning"),
    ("warnings_are_limited", "src/worker/x.c",
     SAYS.format('log_event(&(struct log_event){.level = LOG_WARNING}, "x")'), "without a limit"),
    ("warnings_are_limited", "src/worker/x.c",
     SAYS.format("struct log_event again = {\n.level = LOG_ERR, .limit = a,\n}") +
     SAYS.format("struct log_event again = {.limit = a, .level = LOG_WARNING}"), "a is another"),
    ("backward_gotos", "src/base/x.c", "int\ny(void)\n{\nup:\n    goto up;\n}\n", "goto up"),
    ("opening_comments", "src/base/x.c", "#include <stdio.h>\n", "does not open"),
    ("opening_comments", "tests/unit/base/check_x.c", "int x;\n", "does not open"),
    ("shell_scripts", ".ci/run", "#!/bin/bash\nrm $1\n", "SC2086"),
    ("shell_scripts", "etc/bash_completion.d/x", "# shellcheck shell=bash\nrm $1\n", "SC2086"),
    ("python_files", "tests/lib/x.py", "def x(:\n", "x.py:1"),
    ("python_files", "tests/run", "#!/usr/bin/python3\ndef x(:\n", "run:2"),
    ("python_files", "tests/lib/x.py", "import os\n", "x.py:1: 'os' imported"),
    ("top_level", "notes.txt", "", "notes.txt"),
    ("units_have_checks", "src/base/y.c", "/* y */\n", "check_y.c"),
]

# What looks like a breach and is none.
FINE = [
    ("include_directions", "src/sender/s.c", '/* */\n#include "metric/point.h"\n'),
    ("include_directions", "src/master/m.c", '/* */\n#include "base/x.h"\n'),
    ("sole_includers", "src/master/config.c", "/* */\n#include <confuse.h>\n"),
    ("sole_includers", "src/master/service.c", "/* */\n#include <systemd/sd-daemon.h>\n"),
    ("function_lengths", "src/base/x.c", SOURCE * 10 + function("y", 70)),
    ("file_lengths", "src/base/x.c", "\n" * 400),
    ("header_prototypes", "src/base/x.h", header("base", "x", *PROTOTYPES[:8])),
    ("header_prototypes", "src/base/x.h",
     header("base", "x", "/* Both. */\nint x(void);\nint y(int a,\n      int b);\nint z(void);")),
    ("header_prototypes", "src/client/pystatsd.h", "\n".join(PROTOTYPES)),
    ("conditionals", "src/client/pystatsd.h", "#ifdef __cplusplus\n#endif\n"),
    ("conditionals", "src/base/x.c", "/* */\n#ifdef NDEBUG\n#endif\n"),
    ("conditionals", "src/metric/m.c", "/*\n#if 1\n*/\n"),
    ("function_macros", "src/base/x.h", "/* */\n#define X(a) a\n"),
    ("function_macros", "src/metric/m.c", "/* */\n#define X (1)\n"),
    ("forbidden_words", "src/base/x.c", '/* alloca(3) */ const char *x = "alloca(3)";\n'),
    ("warnings_are_limited", "src/worker/x.c",
     SAYS.format("log_event(&(struct log_event){.level = LOG_WARNING, .limit = f(a, b)}, 1)")),
    ("warnings_are_limited", "src/worker/x.c", SAYS.format("a = (struct log_event){LOG_DEBUG}")),
    ("warnings_are_limited", "src/worker/worker.c",
     '/* */\nvoid\nfinish(void)\n{\n    log_warnx("x");\n}\n'),
    ("backward_gotos", "src/base/x.c", "int\ny(void)\n{\n    goto out;\nout:\n    return 0;\n}\n"),
    ("python_files", "tests/lib/x.py", "import os  # noqa: F401\n"),
    ("top_level", "build-debug", ""),
    ("units_have_checks", "src/master/main.c", "/* main */\n"),
    ("units_have_checks", "src/cli/main.c", "/* main */\n"),
]


def tree(root, *changes):
    for path, text in [*GOOD.items(), ("src/worker/w.h", header("worker", "w")),
                       ("src/sender/s.h", header("sender", "s")),
                       ("src/metric/m.h", header("metric", "m")),
                       ("src/metric/point.h", header("metric", "point")),
                       ("src/pipe/p.h", header("pipe", "p")), *changes]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / ".clang-format").write_bytes((ROOT / ".clang-format").read_bytes())
    return root


def findings(rule, root):
    try:
        return "\n".join(rule(root))
    except lint.Missing as missing:
        pytest.skip(str(missing))


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps(rule):
    assert findings(rule, ROOT) == ""


@pytest.mark.parametrize("rule", lint.RULES, ids=lambda rule: rule.__name__)
def test_a_good_tree_passes(rule, tmp_path):
    assert findings(rule, tree(tmp_path)) == ""


@pytest.mark.parametrize("rule, path, text, says", BAD)
def test_fires(rule, path, text, says, tmp_path):
    if "imported" in says:
        pytest.importorskip("pyflakes")
    assert says in findings(getattr(lint, rule), tree(tmp_path, (path, text)))


@pytest.mark.parametrize("rule, path, text", FINE)
def test_is_content(rule, path, text, tmp_path):
    assert findings(getattr(lint, rule), tree(tmp_path, (path, text))) == ""


def test_every_rule_has_a_sample():
    assert {rule.__name__ for rule in lint.RULES} == {name for name, *_ in BAD}


def test_the_command_fails_where_a_rule_does(tmp_path):
    script = ROOT / "tests/lint/lint.py"
    good = subprocess.run([script, tree(tmp_path)], stdout=subprocess.PIPE, text=True)
    bad = subprocess.run([script, tree(tmp_path, ("notes.txt", ""))], stdout=subprocess.PIPE,
                         text=True)
    assert (good.returncode, bad.returncode) == (0, 1)
    assert "notes.txt:1: has no place at the top level  [top_level]" in bad.stdout


def test_functions_are_found_by_their_braces():
    found = csource.functions(SOURCE + function("y", 3))
    assert [(f.name, f.line, f.length) for f in found] == [("x_do", 6, 1), ("y", 12, 3)]


def test_what_is_no_prototype():
    text = header("base", "x", "struct x {", "    int (*f)(void);", "};", "typedef int t(void);",
                  '_Static_assert(sizeof(int) == 4, "x");', "static inline int", "y(void)", "{",
                  "    return f();", "}", "int z(void) __attribute__((noreturn));",
                  "extern int table[];", "enum { A = sizeof(int) };")
    assert [p.name for p in csource.prototypes(text)] == ["z"]
