"""Foreign text made harmless to look at."""

from __future__ import annotations


def safe(text: str) -> str:
    r"""The same text with all that is not plain ink written out.

    Control characters, escape codes, line ends, right-to-left marks, zero-width and
    unassigned characters, odd blanks and lone surrogates become visible escapes such as
    ``\x1b`` and ``\u202e``: whoever chose a name cannot move the cursor, hide a part
    of it or break a line.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
