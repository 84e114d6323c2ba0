"""What batches carry besides observations: calls, statements, cursors."""

from __future__ import annotations

from collections.abc import Sequence

import apsw
import msgspec

from tollbook.core.observation import Call, StatementLine
from tollbook.ports import Batch
from tollbook.stores.sqlite.names import Names

_MARKS = ", ".join(
    f"ifnull((SELECT text FROM names WHERE id = {{0}}{name}), '')"  # noqa: S608  # constants
    for name in ("session", "model", "project")
)
_BELIEVED = (
    f"excluded.asked AND (NOT asked OR (ifnull(excluded.at, -1), "
    f"{_MARKS.format('excluded.')}) < (ifnull(at, -1), {_MARKS.format('calls.')}))"
)
_FIRST_FILE = (
    "(SELECT text FROM names WHERE id = excluded.origin)"
    " < (SELECT text FROM names WHERE id = statements.origin)"
)

SOURCE_MARK = "source "
"""Begins the names of sources among the store's notes."""

_encode = msgspec.msgpack.Encoder().encode


def accept(
    connection: apsw.Connection, names: Names, batches: Sequence[Batch]
) -> list[Batch]:
    """Save the batches' cursors; those another process was faster with are left out."""
    accepted = []
    for batch in batches:
        if batch.cursor is not None:
            place = (names[batch.source], batch.origin)
            saved = connection.execute(
                "SELECT cursor FROM cursors WHERE source = ? AND origin = ?", place
            ).get
            if saved != batch.previous:
                continue
            connection.execute(
                "REPLACE INTO cursors VALUES (?, ?, ?)", (*place, batch.cursor)
            )
        accepted.append(batch)
    return accepted


def note_sources(connection: apsw.Connection, batches: Sequence[Batch]) -> None:
    """Remember who gave facts: an event's row names only one of its sources."""
    told = {b.source for b in batches if b.observations or b.calls or b.statements}
    connection.executemany(
        f"INSERT OR IGNORE INTO meta VALUES ('{SOURCE_MARK}' || ?, '')",  # noqa: S608  # a constant
        [(source,) for source in sorted(told)],
    )


def save_calls(
    connection: apsw.Connection, names: Names, calls: Sequence[Call]
) -> None:
    """A call is open from its request until any response refers to it.

    Copies of a request say other things of it; the least of them is believed, so that
    the order of arrival decides nothing.
    """
    connection.executemany(
        "INSERT INTO calls VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"  # noqa: S608
        " asked = max(asked, excluded.asked),"
        " answered = max(answered, excluded.answered),"
        + ", ".join(
            f" {name} = iif({_BELIEVED}, excluded.{name}, {name})"
            for name in ("at", "session", "model", "project")
        ),
        [
            (
                call.reference,
                int(call.asked),
                int(not call.asked),
                call.at,
                names[call.session],
                names[call.model],
                names[call.project],
            )
            for call in calls
        ],
    )


def save_statements(
    connection: apsw.Connection,
    names: Names,
    source: str,
    origin: str,
    statements: Sequence[StatementLine],
) -> None:
    """Running totals replace each other: the latest of each series stays."""
    connection.executemany(
        "INSERT INTO statements VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"  # noqa: S608
        " origin = excluded.origin, sequence = excluded.sequence,"
        " stated_pico = excluded.stated_pico, body = excluded.body"
        " WHERE (excluded.sequence, excluded.stated_pico, excluded.body)"
        " > (sequence, stated_pico, body)"
        " OR (excluded.sequence, excluded.stated_pico, excluded.body)"
        f" = (sequence, stated_pico, body) AND {_FIRST_FILE}",
        [
            (
                names[line.session],
                names[source],
                line.series,
                names[origin],
                line.sequence,
                line.stated_cost,
                _encode(line),
            )
            for line in statements
        ],
    )
