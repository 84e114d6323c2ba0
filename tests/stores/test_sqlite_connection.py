"""The SQLite store when the file, the disk or the library is not what it should be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from lines import answer, text_of
from strategies import MESSAGE_IDS, FlatPricer
from tollbook.core.errors import (
    StoreDamagedError,
    StoreError,
    StoreTooNewError,
    StoreUnavailableError,
)
from tollbook.formats.transcript import parse_block
from tollbook.ports import Batch, UsageQuery
from tollbook.stores.sqlite import connection
from tollbook.stores.sqlite.glance import glance
from tollbook.stores.sqlite.store import SqliteStore

ALWAYS = UsageQuery(buckets=[(0, 2**62)])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the ledger is to be."""
    return tmp_path / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """A ledger with two segments of facts."""
    ledger = SqliteStore(path, FlatPricer(), "v1")
    for number in range(2):
        ledger.append([batch(number)], now=1)
    yield ledger
    ledger.close()


def batch(number: int) -> Batch:
    """One response."""
    block = text_of(answer({"id": MESSAGE_IDS[number]}, requestId=f"req_{number}"))
    seen = parse_block(memoryview(block), origin="a", first_line=1).observations
    return Batch(source="claude-code", origin="a", observations=seen)


def by_hand(path: Path, *statements: str) -> None:
    """Do to a file what tollbook never does."""
    other = apsw.Connection(str(path))
    for statement in statements:
        other.execute(statement)
    other.close()


def test_a_library_that_may_damage_the_file_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")

    with pytest.raises(StoreUnavailableError, match=r"install apsw 3\.51\.3"):
        SqliteStore(path, FlatPricer(), "v1")
    assert not path.exists()


def test_the_file_of_a_newer_tollbook_is_left_alone(path: Path) -> None:
    by_hand(path, "PRAGMA user_version = 99")

    with pytest.raises(StoreTooNewError, match=r"schema 99.*; update tollbook"):
        SqliteStore(path, FlatPricer(), "v1")


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE recipes (name TEXT)", "PRAGMA application_id = 7"]
)
def test_another_programs_database_is_left_alone(path: Path, statement: str) -> None:
    by_hand(path, statement)

    with pytest.raises(StoreDamagedError, match="choose another file"):
        SqliteStore(path, FlatPricer(), "v1")
    assert glance(str(path), [0]) is None


def test_a_file_that_is_no_database_is_left_alone(path: Path) -> None:
    path.write_bytes(b"precious" * 1000)

    with pytest.raises(StoreDamagedError, match="restore a backup"):
        SqliteStore(path, FlatPricer(), "v1")
    assert path.read_bytes() == b"precious" * 1000


def test_a_folder_in_the_files_place_is_named(path: Path) -> None:
    path.mkdir()

    with pytest.raises(StoreUnavailableError, match="TOLLBOOK_HOME"):
        SqliteStore(path, FlatPricer(), "v1")
    assert glance(str(path), [0]) is None


def test_a_ledger_that_others_could_read_becomes_private(path: Path) -> None:
    path.touch(0o644)
    SqliteStore(path, FlatPricer(), "v1").close()

    assert path.stat().st_mode & 0o777 == 0o600


def test_a_writer_who_does_not_end_is_waited_for_and_then_named(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_BUSY_TIMEOUT_MS", 1)
    late = SqliteStore(path, FlatPricer(), "v1")
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(StoreUnavailableError, match="another process is writing"):
        late.append([batch(0)], now=2)
    other.close()
    late.close()
    assert store.coverage().responses == 2


@pytest.mark.parametrize(
    ("trouble", "error", "said"),
    [
        ("PRAGMA max_page_count = 1", StoreUnavailableError, "the disk is full"),
        ("PRAGMA query_only = ON", StoreUnavailableError, "check the disk"),
        ("DROP TABLE calls", StoreError, "SQLite refused"),
    ],
)
def test_what_sqlite_cannot_do_comes_with_a_remedy(
    store: SqliteStore, trouble: str, error: type[StoreError], said: str
) -> None:
    store._db.execute(trouble)  # noqa: SLF001  # where trouble can be had
    with pytest.raises(error, match=said) as caught:
        store.append([large()], now=2)

    assert type(caught.value) is error
    [total] = store.totals(ALWAYS)
    assert total.tally.responses == 2


def large() -> Batch:
    """More than fits into the pages there are, with a call."""
    block = text_of(
        *(
            answer({"id": f"msg_01{n:022}"}, requestId=f"req_{n}", requestRef=f"r{n}")
            for n in range(2000)
        )
    )
    parsed = parse_block(memoryview(block), origin="b", first_line=1)
    return Batch(
        source="claude-code",
        origin="b",
        observations=parsed.observations,
        calls=parsed.calls,
    )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE segments SET body = zeroblob(9) WHERE id = 2",
            "segment 2 are damaged",
        ),
        ("DELETE FROM segments WHERE id = 1", "segment 1 are gone"),
    ],
)
def test_facts_that_are_not_whole_are_never_derived_from(
    store: SqliteStore, path: Path, statement: str, said: str
) -> None:
    by_hand(path, statement)
    before = store.totals(ALWAYS)

    for derive in (store.verify, store.rebuild):
        with pytest.raises(StoreDamagedError, match=f"{said}; restore a backup"):
            derive()
    assert store.totals(ALWAYS) == before


def test_a_file_that_is_not_sound_is_not_verified(
    store: SqliteStore, path: Path
) -> None:
    by_hand(
        path,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema"
        " WHERE name = 'events_by_time') WHERE name = 'problems_by_teller'",
    )
    store.close()
    damaged = SqliteStore(path, FlatPricer(), "v1")

    with pytest.raises(StoreDamagedError, match="the file is not sound"):
        damaged.verify()
    damaged.close()
