"""What could not be used, and who has taken note of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import apsw
import msgspec

from tollbook.core.observation import Instant
from tollbook.core.problem import Problem
from tollbook.ports import Batch

_SAME = "(a.origin, a.line, a.code) = (p.origin, p.line, p.code)"
_STANDS = f"EXISTS (SELECT 1 FROM problems AS p WHERE {_SAME})"  # noqa: S608  # constants
_NEWS = f"NOT EXISTS (SELECT 1 FROM acknowledgements AS a WHERE {_SAME})"  # noqa: S608  # the same


def save_problems(
    connection: apsw.Connection, batches: Sequence[Batch], now: Instant
) -> int:
    """Keep problems; what an earlier read of the same origin said may stand no longer.

    A read from the beginning says everything again. Any read that came through shows
    that the origin as a whole (line 0) can be read.
    """
    count = gone = 0
    for batch in batches:
        if batch.afresh or batch.cursor is not None:
            connection.execute(
                "DELETE FROM problems WHERE told_by = ? AND line <= ?",
                (batch.origin, sys.maxsize if batch.afresh else 0),
            )
            gone += connection.changes()
        for problem in batch.problems:
            connection.execute(
                "INSERT OR IGNORE INTO problems VALUES (?, ?, ?, ?, ?, ?)",
                (*msgspec.structs.astuple(problem), now, batch.origin),
            )
            count += connection.changes()
        for name, label in batch.labels.items():
            connection.execute(
                "INSERT INTO labels VALUES (?, ?) ON CONFLICT DO UPDATE"
                " SET label = min(label, excluded.label)",
                (name, label),
            )
    if gone:
        connection.execute(f"DELETE FROM acknowledgements AS a WHERE NOT {_STANDS}")  # noqa: S608  # constants
    return count


def read_problems(connection: apsw.Connection) -> list[Problem]:
    """See ``LedgerStore.problems``."""
    rows = connection.execute(
        f"SELECT origin, line, code, message FROM problems AS p WHERE {_NEWS}"  # noqa: S608  # constants
        " ORDER BY origin, line, code"
    )
    return [_problem(*row) for row in rows]


def count_problems(connection: apsw.Connection) -> int:
    """How many ``read_problems`` would give."""
    count = f"SELECT count(*) FROM problems AS p WHERE {_NEWS}"  # noqa: S608  # constants
    return int(connection.execute(count).get)


def read_acknowledged(connection: apsw.Connection) -> list[tuple[Problem, Instant]]:
    """See ``LedgerStore.acknowledged``."""
    rows = connection.execute(
        "SELECT p.origin, p.line, p.code, p.message, a.at FROM problems AS p"  # noqa: S608  # constants
        f" JOIN acknowledgements AS a ON {_SAME} ORDER BY p.origin, p.line, p.code"
    )
    return [(_problem(*row), at) for *row, at in rows]


def acknowledge(connection: apsw.Connection, origin: str | None, now: Instant) -> int:
    """See ``LedgerStore.acknowledge``."""
    connection.execute(
        "INSERT INTO acknowledgements SELECT origin, line, code, ?2 FROM problems AS p"  # noqa: S608  # constants
        f" WHERE (?1 IS NULL OR origin = ?1) AND {_NEWS}",
        (origin, now),
    )
    return connection.changes()


def _problem(origin: str, line: int, code: str, message: str) -> Problem:
    return Problem(origin=origin, line=line, code=code, message=message)
