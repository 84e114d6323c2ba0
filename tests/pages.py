"""Pages of the documentation: their fenced examples, and the commands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FENCE = re.compile(
    r"^(`{3,})(\w*)[ \t]*(.*?)\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL
)
COMMAND = re.compile(r"^\$ (?:tollbook|python3 tasks\.py run)\b", re.MULTILINE)


class Block(NamedTuple):
    """A fenced example and where it stands."""

    page: Path
    line: int
    language: str
    words: list[str]
    text: str

    @property
    def place(self) -> str:
        """Where to find it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def exit_code(self) -> int:
        """What its commands are meant to end with."""
        return next((int(w[5:]) for w in self.words if w.startswith("exit=")), 0)


class Step(NamedTuple):
    """One command of a block and the answer the page shows."""

    command: str
    answer: str


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced example of a page."""
    text = page.read_text("utf-8")
    for match in FENCE.finditer(text):
        _, language, words, body = match.groups()
        line = text.count("\n", 0, match.start()) + 1
        yield Block(page, line, language, words.split(), body)


def steps(block: Block) -> Iterator[Step]:
    """The commands of a block that are ours."""
    for part in re.split(r"^(?=\$ )", block.text, flags=re.MULTILINE):
        if COMMAND.match(part):
            command, *rest = COMMAND.sub("tollbook", part).split("\n")
            while command.endswith("\\"):
                command = command[:-1] + rest.pop(0).removeprefix("> ")
            yield Step(command, "\n".join(rest))
