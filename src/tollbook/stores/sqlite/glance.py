"""The few figures a status line needs: read-only, without waiting, light to import."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

import apsw

from tollbook.core.slots import SLOT_MS
from tollbook.stores.sqlite.schema import APPLICATION_ID, MICRO, MIGRATIONS

_COST = (
    "SELECT total(priced = 0 AND responses > 0) > 0, coalesce(sum(list_micro), 0),"
    " coalesce(sum(list_rest), 0) FROM usage_by_project WHERE slot >= ?"
)
_NEWEST = "SELECT recorded_at FROM segments ORDER BY id DESC LIMIT 1"


Glance = tuple[list[int], bool, int | None]
"""Picodollars at list since each instant that was asked for; whether something since
then has no price; when something was last added, in milliseconds."""


def glance(path: str, since: Sequence[int]) -> Glance | None:
    """List cost since some instants, or ``None`` where no ledger can be read now.

    Never waits: a ledger that is locked, away, damaged or another's gives nothing.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None
        connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
        try:
            return _read(connection, since)
        finally:
            connection.close()
    except (apsw.Error, OSError, TypeError, ValueError):
        return None


def _read(connection: apsw.Connection, since: Sequence[int]) -> Glance | None:
    owner = connection.pragma("application_id")
    if owner != APPLICATION_ID or connection.pragma("user_version") != len(MIGRATIONS):
        return None
    costs: list[int] = []
    unpriced = False
    for start in since:
        missing, micro, rest = connection.execute(_COST, (-(-start // SLOT_MS),)).get
        costs.append(micro * MICRO + rest)
        unpriced = unpriced or bool(missing)
    return costs, unpriced, connection.execute(_NEWEST).get
