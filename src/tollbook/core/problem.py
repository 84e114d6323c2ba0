"""Data we could not use, as values: they add up in a report and never stop a run."""

from __future__ import annotations

import msgspec


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One unusable piece of input, and where it is."""

    origin: str  # where to look it up again: a file's path, or a source's name
    line: int  # 1-based; 0 when the whole of ``origin`` is meant
    code: str  # stable, documented in docs/reference/problems.md
    message: str  # what is wrong and what to do, one sentence, no payload text
