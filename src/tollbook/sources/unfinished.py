"""Which transcripts end in a line that is still being written, or never will be."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tollbook.sources.transcript_files import SURVEY, decode_cursor, is_of


def unfinished(cursors: Mapping[str, bytes]) -> list[str]:
    """Files that were read to their last line end, and go on behind it."""
    found = []
    for path, saved in sorted(cursors.items()):
        if path == SURVEY:  # of no file, and no cursor
            continue
        known = decode_cursor(saved)
        if known.offset < known.size and _unchanged(path, saved):
            found.append(path)
    return found


def _unchanged(path: str, saved: bytes) -> bool:
    try:
        return is_of(saved, os.lstat(path))
    except OSError:
        return False
