"""The manual pages and the shipped file name what the program has, no more and no less, and what
they say of it is true."""

import os
import re
import shutil
import subprocess

import pytest

from lib.daemon import BUILD, ROOT, run, write_config

PAGES = ["man/pystatsd-server.8", "man/pystatsd.default.5"]
LIBRARY = "man/libpystatsd.3"
COMMAND = "man/pystatsd.1"
LIKE = re.compile(r"^what EXPIRE says|^what COUNTERS_PREFIX says")


def text_of(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def effective(settings=None, config="/dev/null"):
    """{key: value} of all settings in effect."""
    result = run(settings, ["--check-config"], config)
    assert result.returncode == 0, result.stderr
    return dict(re.findall(r"^([A-Z_]+)=[\"'](.*)[\"']$", result.stdout, re.M))


def entries():
    """{key: (its text without macros, the example)} of the page of settings."""
    found = {}
    for entry in re.split(r"^\.It Ic ", text_of(PAGES[1]).split(".Sh FILES")[0], flags=re.M)[1:]:
        key, _, rest = entry.partition("\n")
        body, example = re.match(r"(.*?)^\.Dl (\S[^\n]*)$", rest, re.M | re.S).groups()
        body = re.sub(r"^\.Ic (\S+).*$", r"\1", body, flags=re.M)
        found[key] = " ".join(body.split()), example
    return found


@pytest.mark.parametrize("page", [*PAGES, LIBRARY, COMMAND])
def test_mandoc_has_nothing_to_say(page):
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    command = ["mandoc", "-Tlint", "-Wwarning", os.path.join(ROOT, page)]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert (result.returncode, result.stdout) == (0, b"")


def test_every_page_names_the_others():
    pages = dict(re.fullmatch(r"(.+)\.(\d)", it).groups() for it in os.listdir(f"{ROOT}/man"))
    assert len(pages) == 4
    for name, section in pages.items():
        seen = text_of(f"man/{name}.{section}").split(".Sh SEE ALSO")[1]
        assert dict(re.findall(r"^\.Xr (\S+) (\d)", seen, re.M)) == {
            it: number for it, number in pages.items() if it != name}


def test_files_of_an_installation():
    """What `make install` changes of the settings is among the files of the server's page."""
    listed = re.findall(r"^\.It Pa (\S+)$", text_of(PAGES[0]).split(".Sh FILES")[1], re.M)
    changed = re.findall(r"s\|\^#\w+=\"\"\$\$\|\w+=(\S+?)\|", text_of("Makefile"))
    assert len(changed) == 3
    for path in changed:
        path = path.replace("$(STATE)", "/var/lib/pystatsd")
        assert path in listed or path == "/var/lib/pystatsd/gauges/latest" and path[:17] in listed


def test_every_flag():
    page = re.sub(r"\\&", "", text_of(PAGES[0]))
    listed = re.findall(r"^\.It (Fl .*)$", page, re.M)
    documented = set()
    for line in listed:
        documented |= {"-" + name for name in re.findall(r"Fl (\S+)", line)}
    helped = re.findall(r"^ {2}(?:(-.),| {3}) (--[a-z-]+)", run(args=["--help"]).stdout, re.M)
    assert len(helped) > 20
    assert documented == {name for pair in helped for name in pair if name}


def test_flags_of_the_page_name_their_keys():
    """Each flag's entry ends with the key it stands for, which it sets."""
    pairs = re.findall(r"^\.It (?:Fl \S+ , )?Fl (-\S+)( Ar)?.*\n(?:(?!\.It).*\n)*?\.Ev ([A-Z_]+)",
                       text_of(PAGES[0]), re.M)
    values = {"LISTEN_ADDRESS": "127.0.0.1", "TRANSPORT": "none", "PIDFILE": "/x", "PCT": "99"}
    n = 0
    for flag, operand, key in pairs:
        if key not in effective() or flag == "-daemon":
            continue
        value = values.get(key, "1000")
        args = [f"-{flag}", value] if operand else [f"-{flag}"]
        result = run(args=[*args, "--check-config"])
        assert re.search(rf"^# command line: -{flag}\n{key}=", result.stdout, re.M), flag
        n += 1
    assert n == 13


def test_every_key_in_its_order():
    keys = list(effective())
    assert len(keys) > 50
    assert list(entries()) == keys
    assert re.findall(r"^#?([A-Z_]+)=", text_of("etc/default/pystatsd"), re.M) == keys


def test_defaults():
    for key, default in effective().items():
        body = entries()[key][0]
        said = re.search(r"Default: (.*?); ", body).group(1)
        assert LIKE.match(said) or said == (default or "empty"), key


def test_examples(place):
    """Each is accepted, alone and all of them as a file, and is none of the defaults."""
    defaults = effective()
    lines = [example for _, example in entries().values()]
    config = write_config(place, "".join(f"{line}\n" for line in lines))
    together = effective(config=config)
    for key, (_, example) in entries().items():
        assert example.startswith(f"{key}=")
        value = example.partition("=")[2].strip('"')
        assert effective({key: value})[key] == together[key]
        assert together[key] != defaults[key] or key == "DIALECT", key


def test_the_example_at_the_end(place):
    text = re.search(r"^\.Bd .*\n((?:[A-Z_]+=.*\n)+)\.Ed", text_of(PAGES[1]), re.M).group(1)
    assert effective(config=write_config(place, text))["PCT"] == "95,99"


def ranges():
    """(key, least, most) where the page gives them as numbers."""
    for key, (body, _) in entries().items():
        found = re.search(r"Default: .*?(-?[0-9]+[A-Za-z]*) to (-?[0-9]+[A-Za-z]*)\.", body)
        if found:
            yield pytest.param(key, *found.groups(), id=key)


def one_off(text, by):
    number, unit = re.fullmatch(r"(-?[0-9]+)(\w*)", text).groups()
    return f"{int(number) + by}{unit}"


def test_there_are_ranges():
    """Where none is found, the test below is skipped and nobody knows."""
    assert len(list(ranges())) > 15


@pytest.mark.parametrize("key, least, most", ranges())
def test_ranges(key, least, most):
    for value in (least, most):
        assert run({key: value}, ["--check-config"]).returncode == 0, value
    assert run({key: one_off(most, 1)}, ["--check-config"]).returncode == 78
    assert run({key: one_off(least, -1)}, ["--check-config"]).returncode == 78


def test_choices():
    """What the page offers is taken, and all that the daemon offers is on the page."""
    n = 0
    for key, (body, _) in entries().items():
        answer = run({key: "no-such-choice"}, ["--check-config"]).stderr
        offered = re.search(r"expected ([a-z]+(?: or [a-z]+)+), got", answer)
        if not offered:
            continue
        said = re.search(r"Default: [^;]*; (.*?)\.", body).group(1)
        assert re.split(", | or ", said) == offered.group(1).split(" or "), key
        n += 1
    assert n >= 12


# --- libpystatsd ---


def declared():
    """{name: its prototype} of what the header declares, comments and names of no matter left out."""
    header = re.sub(r"/\*.*?\*/|^#[^\n]*", "", text_of("src/client/pystatsd.h"), flags=re.S | re.M)
    found = re.findall(r"^([a-z][\w *]*?\*?)(pystatsd_\w+)\(([^)]*)\);", header, re.M)
    return {name: f"{kind.strip()} {name}({' '.join(rest.split())})" for kind, name, rest in found}


def in_synopsis():
    """The same of the page."""
    synopsis = text_of(LIBRARY).split(".Sh SYNOPSIS")[1].split(".Sh DESCRIPTION")[0]
    found = {}
    for kind, text in re.findall(r'^\.Ft "?(.*?)"?\n(\.F[on] (?:.|\n)*?)(?=^\.Ft|\Z)', synopsis, re.M):
        name = re.match(r"\.F[on] (\w+)", text).group(1)
        arguments = re.findall(r'"(.*?)"', text) or ["void"]
        found[name] = f"{kind} {name}({', '.join(arguments)})"
    return found


def test_calls_of_the_library():
    assert len(declared()) > 15
    assert in_synopsis() == declared()
    names = text_of(LIBRARY).split(".Sh NAME")[1].split(".Nd")[0]
    assert re.findall(r"^\.Nm (\w+)", names, re.M) == list(in_synopsis())
    exported = re.findall(r"^ +(pystatsd_\w+);$", text_of("src/client/libpystatsd.map"), re.M)
    assert sorted(exported) == sorted(declared())


def test_calls_are_described():
    described = text_of(LIBRARY).split(".Sh DESCRIPTION")[1].split(".Sh RETURN VALUES")[0]
    assert set(re.findall(r"Fn (pystatsd_\w+)", described)) == set(declared())


def test_options_of_the_library():
    header = text_of("src/client/pystatsd.h")
    struct = re.search(r"^struct pystatsd_options \{(.*?)^\};", header, re.M | re.S).group(1)
    code = re.sub(r"/\*.*?\*/", "", struct, flags=re.S)
    fields = [" ".join(line.split()) for line in code.splitlines() if line.strip()]
    page = text_of(LIBRARY)
    shown = re.search(r"^struct pystatsd_options \{\n(.*?)^\};", page, re.M | re.S).group(1)
    assert [" ".join(line.split()) for line in shown.splitlines()] == fields
    names = [re.search(r"(\w+)(?:\[\d+\])?;", field).group(1) for field in fields]
    assert re.findall(r"^\.It Fa (\w+)$", page, re.M) == names


def test_errors_of_the_header_are_on_the_page():
    named = set(re.findall(r"-E[A-Z]+", text_of("src/client/pystatsd.h")))
    assert len(named) > 5
    assert named <= set(re.findall(r"^\.It Bq (-E\w+)$", text_of(LIBRARY), re.M))


def test_options_of_the_server():
    header = text_of("src/client/pystatsd.h")
    struct = re.search(r"^struct pystatsd_server_options \{(.*?)^\};", header, re.M | re.S).group(1)
    code = re.sub(r"/\*.*?\*/", "", struct, flags=re.S)
    fields = re.findall(r"(\w+)(?:\)\(.*?\))?;", code)
    assert fields[-1] == "stop_with" and len(fields) > 20
    section = text_of(LIBRARY).split(".Sh SERVER")[1].split(".Ss Its end")[0]
    listed = " , ".join(re.findall(r"^\.It Va (.*)$", section, re.M)).split(" , ")
    assert listed + ["stop_with"] == fields
    keys = {key for line in re.findall(r"^\.Ev (.*)$", section, re.M) for key in line.split(" , ")}
    assert keys - {"PYSTATSD_SERVER"} <= set(effective()) | {"GANGLIA_HOST", "GMETRIC_EXEC",
                                                            "GMETRIC_OPTIONS"}


# --- the pystatsd command ---


def command(*words):
    """What the pystatsd command prints, which it must do without complaint."""
    done = subprocess.run([os.path.join(BUILD, "pystatsd"), *words], capture_output=True, text=True,
                          check=True)
    assert done.stderr == ""
    return done.stdout


def test_every_command_in_its_order():
    """With its operands as the command itself names them."""
    helped = re.findall(r"^  ([a-z]+ ?\S.*?)  ", command("help").partition("\nFlags")[0], re.M)
    assert len(helped) > 15
    listed = re.findall(r"^\.It Cm (.*)$", text_of(COMMAND), re.M)
    plain = [re.sub(r"Ar | Op (.*)$", lambda it: f" [{it[1][3:]}]" if it[1] else "", it)
             for it in listed]
    assert plain == [" ".join(it.split()) for it in helped]


def test_every_flag_of_the_command():
    flags = re.findall(r"^ {2}(?:(-.),| {3}) (--[a-z-]+)(?: ([A-Z]+))? ", command("help"), re.M)
    assert len(flags) > 12
    listed = re.findall(r"^\.It (Fl .*)$", text_of(COMMAND), re.M)
    documented = [re.fullmatch(r"(?:Fl (\S) , )?Fl (-\S+)(?: Ar (\S+))?", it).groups("")
                  for it in listed]
    assert [("-" + letter if letter else "", "-" + name, operand)
            for letter, name, operand in documented] == flags


def test_flags_stand_with_their_commands():
    """A flag of some commands alone names them in the page."""
    page = text_of(COMMAND)
    for flag in ("--delta", "--json", "--check", "--once", "--rows", "--yes"):
        takers = [name for name in re.findall(r"^  ([a-z]+) ", command("help").partition("\nFlags")[0],
                                              re.M) if flag in command("help", name)]
        said = re.search(rf"^\.It (?:Fl \S , )?Fl {flag[1:]}\b.*\nOf\n\.Cm (\S+) :$", page, re.M)
        assert takers == [said.group(1)], flag


def test_exit_statuses_of_the_command():
    page = text_of(COMMAND)
    for word, status in (("OK", 0), ("WARNING", 1), ("CRITICAL", 2), ("UNKNOWN", 3)):
        assert f"{status} ({word})" in page
