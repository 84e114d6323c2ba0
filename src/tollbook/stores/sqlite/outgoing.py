"""Facts in the order they were stored, for another ledger."""

from __future__ import annotations

import zlib
from typing import NamedTuple

import apsw

from tollbook.core.errors import StoreDamagedError
from tollbook.ports import Fact, StrPath
from tollbook.stores.sqlite.names import Texts
from tollbook.stores.sqlite.segments import decode_segment

_SELECT = (
    "SELECT id, source, origin, checksum, body FROM segments"
    " WHERE id > ?1 AND (?3 IS NULL OR source = (SELECT id FROM names WHERE text = ?3))"
    " ORDER BY id LIMIT ?2"
)


class Wanted(NamedTuple):
    """Which facts: at most so many behind a number, of one source or of all."""

    after: int
    limit: int
    source: str | None = None


def read_facts(
    connection: apsw.Connection, texts: Texts, path: StrPath, wanted: Wanted
) -> list[Fact]:
    """See ``LedgerStore.facts``; ``path`` is for the message alone."""
    found = []
    for number, source, origin, checksum, body in connection.execute(_SELECT, wanted):
        if zlib.crc32(body) != checksum:
            message = (
                f"{path}: the facts of segment {number} are damaged; restore a backup, "
                "or move the file away and scan again"
            )
            raise StoreDamagedError(message)
        segment = decode_segment(body)
        found.append(
            Fact(
                id=number,
                source=texts[source] or "",
                origin=texts[origin] or "",
                observations=segment.observations,
                calls=segment.calls,
                statements=segment.statements,
            )
        )
    return found
