"""Plain aligned columns, for short lists of facts."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from tollbook.render.ink import cells, pad
from tollbook.render.safe import safe

_GAP = "  "


def columns(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
) -> str:
    """Rows below their heads, each cell harmless; ``right`` names figures' columns.

    The head line is left out when every head is empty.
    """
    texts = [[safe(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(cells, column)) for column in zip(*texts, strict=True)]
    return "\n".join(
        _GAP.join(
            pad(text, width, right=name in right)
            for text, width, name in zip(row, widths, head, strict=True)
        ).rstrip()
        for row in (texts if any(head) else texts[1:])
    )
