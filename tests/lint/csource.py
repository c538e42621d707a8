"""What the checks need to know of C, from text that clang-format has laid out.

A definition's name and braces stand at column 0; everything else follows from that.
"""
import re
from dataclasses import dataclass

_TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_NAME_AT_COLUMN_0 = re.compile(r"^(\w+)\(")
_PROTOTYPE = re.compile(r"^(?!typedef\b|_Static_assert\b)[\w\s*]*?\b(\w+)\s*\(")


@dataclass
class Function:
    name: str
    line: int  # of the opening brace
    body: list  # the lines between the braces

    @property
    def length(self):
        return len(self.body)


@dataclass
class Prototype:
    name: str
    first: int  # lines, from 1
    last: int


def code_only(text):
    """Blanks comments and the insides of literals; every line keeps its number."""
    def blank(match):
        token = match.group()
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[0]
        return re.sub(r"[^\n]", " ", token)
    return _TOKEN.sub(blank, text)


def directives(text):
    """(line, name, rest) of every preprocessor line, continuations joined."""
    source = _TOKEN.sub(lambda m: m.group() if m.group()[0] in "\"'"
                        else re.sub(r"[^\n]", " ", m.group()), text)
    pattern = re.compile(r"^[ \t]*#[ \t]*(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.M)
    return [(source.count("\n", 0, m.start()) + 1, m.group(1), m.group(2).strip())
            for m in pattern.finditer(source)]


def functions(text):
    lines = code_only(text).split("\n")
    found = []
    for number, line in enumerate(lines):
        if line.rstrip() != "{":
            continue
        end = next((i for i in range(number, len(lines)) if lines[i].startswith("}")), number)
        heads = (_NAME_AT_COLUMN_0.match(lines[i]) for i in range(number - 1, -1, -1))
        name = next((head.group(1) for head in heads if head), "?")
        found.append(Function(name, number + 1, lines[number + 1:end]))
    return found


def prototypes(text):
    """Of a header, without what is defined in it."""
    source = re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()),
                    code_only(text), flags=re.M)
    found, statement, start, depth, line = [], "", 1, 0, 1
    for char in source:
        if char == "{" and re.fullmatch(r'extern\s*" "\s*', statement):
            statement = ""  # of C++, around declarations that count
        elif char == "{":
            depth += 1
        elif char == "}":
            depth = max(0, depth - 1)
            if depth == 0 and statement.rstrip().endswith(")"):
                statement = ""  # a function's body, not a type's
        elif depth == 0 and char == ";":
            match = _PROTOTYPE.match(statement)
            if match:
                found.append(Prototype(match.group(1), start, line))
            statement = ""
        elif depth == 0 and (statement or not char.isspace()):
            if not statement:
                start = line
            statement += char
        line += char == "\n"
    return found
