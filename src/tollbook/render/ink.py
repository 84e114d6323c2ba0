"""What a screen or a pipe can show, and words that fit it."""

from __future__ import annotations

from textwrap import wrap
from unicodedata import combining, east_asian_width

import msgspec

_STYLES = {"bold": "1", "dim": "2", "cyan": "36", "green": "32", "yellow": "33"}
WIDTH_MIN = 40


class Ink(msgspec.Struct, frozen=True, kw_only=True):
    """How to write: with colours or not, with all of Unicode or not, how wide."""

    colour: bool = False
    plain: bool = False  # ASCII alone
    width: int = 100

    def style(self, text: str, style: str) -> str:
        """A text in a style, where there are styles."""
        if not self.colour or not style or not text.strip():
            return text
        return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"

    def fold(self, text: str, indent: str = "  ") -> list[str]:
        """A sentence in lines that fit."""
        return wrap(
            text,
            max(WIDTH_MIN, self.width),
            subsequent_indent=indent,
            break_on_hyphens=False,
        )

    @property
    def more(self) -> str:
        """What stands for text that was cut off."""
        return "~" if self.plain else "…"


def cells(text: str) -> int:
    """How many columns of a screen a text takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if combining(char) else 1 + (east_asian_width(char) in "WF") for char in text
    )


def fit(text: str, width: int, ink: Ink, *, tail: bool = False) -> str:
    """A text cut to some columns; of a path the end says more than the beginning."""
    if cells(text) <= width:
        return text
    while text and cells(text) > max(0, width - 1):
        text = text[1:] if tail else text[:-1]
    return ink.more + text if tail else text + ink.more


def pad(text: str, width: int, *, right: bool = False) -> str:
    """A text filled up to some columns."""
    blanks = " " * (width - cells(text))
    return blanks + text if right else text + blanks
