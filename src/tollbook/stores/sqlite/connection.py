"""Opening the ledger file: its safety, its age, and one writer at a time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from tollbook.core.errors import (
    StoreDamagedError,
    StoreError,
    StoreTooNewError,
    StoreUnavailableError,
    TooSlowError,
)
from tollbook.ports import StrPath
from tollbook.stores.sqlite.schema import APPLICATION_ID, MIGRATIONS

SQLITE_VERSION_MIN = (3, 51, 3)
"""Older ones may corrupt a write-ahead log that two processes reset at once
(https://sqlite.org/wal.html, "The WAL-reset bug", read 2026-11-22)."""

_STEPS = 250_000
"""Of SQLite's machine between two looks at the clock: some milliseconds."""
_BUSY_TIMEOUT_MS = 30_000
_PRAGMAS = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -32768",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = OFF",
)


def open_ledger(path: StrPath) -> apsw.Connection:
    """Open the file, make it if need be, and bring its tables up to date.

    Raises:
        StoreUnavailableError: The folder or file cannot be written or read.
        StoreDamagedError: The file is no ledger, or not a sound one.
        StoreTooNewError: A newer tollbook wrote it.
    """
    _refuse_old_library()
    with translated(path):
        _make_private(path)
        connection = apsw.Connection(os.fspath(path))
        connection.set_busy_timeout(_BUSY_TIMEOUT_MS)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        _migrate(connection, path)
    return connection


def limit_time(connection: apsw.Connection, milliseconds: int | None) -> None:
    """Let statements take so long from now on, all together; ``None``: for ever."""
    if milliseconds is None:
        connection.set_progress_handler(None)
        return
    end = time.monotonic_ns() + milliseconds * 1_000_000
    connection.set_progress_handler(lambda: time.monotonic_ns() > end, _STEPS)


def _refuse_old_library() -> None:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    if version < SQLITE_VERSION_MIN:
        wanted = ".".join(map(str, SQLITE_VERSION_MIN))
        message = (
            f"apsw brings SQLite {apsw.sqlite_lib_version()}, which can damage a ledger "
            f"that two processes use; install apsw {wanted} or newer"
        )
        raise StoreUnavailableError(message)


def _make_private(path: StrPath) -> None:
    """A ledger is its owner's alone, from its first byte on."""
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        if os.fstat(handle).st_mode & 0o077:
            os.chmod(path, 0o600)
    finally:
        os.close(handle)


def _migrate(connection: apsw.Connection, path: StrPath) -> None:
    version = connection.pragma("user_version")
    owner = connection.pragma("application_id")
    assert isinstance(version, int)
    if version > len(MIGRATIONS):
        message = (
            f"{path}: written by a newer tollbook (schema {version}, this one knows "
            f"{len(MIGRATIONS)}); update tollbook"
        )
        raise StoreTooNewError(message)
    if owner not in (0, APPLICATION_ID) or (owner == 0 and _has_tables(connection)):
        message = f"{path}: is a database, but no tollbook ledger; choose another file"
        raise StoreDamagedError(message)
    if version == len(MIGRATIONS):
        return
    with transaction(connection, path):
        version = connection.pragma("user_version")
        assert isinstance(version, int)
        for number, script in enumerate(MIGRATIONS[version:], start=version + 1):
            connection.execute(script)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


def _has_tables(connection: apsw.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema LIMIT 1").get is not None


@contextmanager
def transaction(connection: apsw.Connection, path: StrPath) -> Iterator[None]:
    """All of it or nothing, with the write lock from the beginning."""
    with translated(path):
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


@contextmanager
def translated(path: StrPath) -> Iterator[None]:
    """Say what SQLite's errors mean for the reader, and what to do."""
    try:
        yield
    except apsw.InterruptError as error:
        raise TooSlowError from error
    except (apsw.BusyError, apsw.LockedError) as error:
        message = f"{path}: another process is writing to the ledger; try again"
        raise StoreUnavailableError(message) from error
    except apsw.FullError as error:
        message = f"{path}: the disk is full; make room, nothing stored was lost"
        raise StoreUnavailableError(message) from error
    except (apsw.CorruptError, apsw.NotADBError) as error:
        message = (
            f"{path}: the file is damaged ({error}); keep it, restore a backup or move "
            "it away and scan again"
        )
        raise StoreDamagedError(message) from error
    except (apsw.IOError, apsw.CantOpenError, apsw.ReadOnlyError) as error:
        message = (
            f"{path}: cannot be read or written ({error}); check the disk, the folder "
            "and its permissions, or set TOLLBOOK_HOME"
        )
        raise StoreUnavailableError(message) from error
    except apsw.Error as error:
        message = f"{path}: SQLite refused ({error}); run `tollbook doctor`"
        raise StoreError(message) from error
    except OSError as error:
        message = (
            f"{path}: cannot be used ({error.strerror}); check the folder and its "
            "permissions, or set TOLLBOOK_HOME"
        )
        raise StoreUnavailableError(message) from error
