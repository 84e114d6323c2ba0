"""A strict reader of Prometheus' text format."""

from __future__ import annotations

import re
from decimal import Decimal

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
LABEL = re.compile(
    r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)', re.ASCII
)
LINE = re.compile(r"([^\s{]+)(?:\{(.*)\})? (\S+)", re.DOTALL)
ESCAPED = {"\\\\": "\\", "\\n": "\n", '\\"': '"'}

Read = dict[tuple[str, tuple[tuple[str, str], ...]], Decimal]


def read(text: str) -> Read:
    """Every sample, by name and labels; anything odd stops the reader."""
    found: Read = {}
    typed: set[str] = set()
    assert text == "" or text.endswith("\n")
    for line in text.split("\n")[:-1]:
        if line.startswith("#"):
            _, word, name, rest = line.split(" ", 3)
            assert word in {"HELP", "TYPE"}
            assert NAME.fullmatch(name)
            if word == "TYPE":
                assert rest == ("counter" if name.endswith("_total") else "gauge")
                assert name not in typed, "a family stands together"
                typed.add(name)
            continue
        match = LINE.fullmatch(line)
        assert match, line
        name, labels, value = match.groups()
        assert name in typed
        key = (name, labels_of(labels or ""))
        assert key not in found, "each sample is there once"
        found[key] = Decimal(value)
    return found


def labels_of(text: str) -> tuple[tuple[str, str], ...]:
    """What stands between the braces."""
    found = []
    while text:
        match = LABEL.match(text)
        assert match, text
        value = re.sub(r'\\[\\n"]', lambda m: ESCAPED[m[0]], match[2])
        found.append((match[1], value))
        text = text[match.end() :]
    return tuple(found)
