"""tollbook.ledger.scan: news into the ledger, in few large transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lines import answer, text_of
from strategies import MESSAGE_IDS, FlatPricer
from tollbook.core.observation import Instant
from tollbook.ledger import scan as scanning
from tollbook.ledger.scan import scan
from tollbook.ports import Appended, Batch, Pending
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore


class Counting(MemoryStore):
    """Remembers how many batches each transaction had."""

    def __init__(self) -> None:
        super().__init__(FlatPricer(), "v1")
        self.transactions: list[int] = []

    def append(self, batches: Sequence[Batch], *, now: Instant) -> Appended:
        """See ``LedgerStore.append``."""
        self.transactions.append(len(batches))
        return super().append(batches, now=now)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four files with a response each."""
    folder = tmp_path / "projects" / "-work"
    folder.mkdir(parents=True)
    for number, name in enumerate(MESSAGE_IDS[:4]):
        line = text_of(answer({"id": name}, requestId=f"req_{number}"))
        (folder / f"{number}.jsonl").write_bytes(line)
    return folder.parent


@pytest.mark.parametrize(
    ("limit", "value", "transactions"),
    [
        ("_TRANSACTION_OBSERVATIONS", 2, [2, 2]),
        ("_TRANSACTION_OBSERVATIONS", 3, [3, 1]),
        ("_TRANSACTION_BYTES", 1, [1, 1, 1, 1]),
        ("_TRANSACTION_BYTES", 1 << 30, [4]),
    ],
)
def test_much_news_is_stored_in_several_transactions(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    transactions: list[int],
) -> None:
    monkeypatch.setattr(scanning, limit, value)
    store = Counting()
    told: list[tuple[int, int]] = []

    appended = scan(
        TranscriptFolders([root]),
        store,
        now=lambda: 1,
        progress=lambda done, total: told.append((done, total)),
    )

    size = sum(path.stat().st_size for path in root.rglob("*.jsonl"))
    assert store.transactions == transactions
    assert appended == Appended(lines=4, added=4, responses=4)
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (size, size)
    assert scan(TranscriptFolders([root]), store, now=lambda: 2) == Appended()


def test_what_another_process_stored_first_is_left_to_it(root: Path) -> None:
    store = MemoryStore(FlatPricer(), "v1")

    class Overtaken(TranscriptFolders):
        """Between its look and its reading another process reads everything."""

        def survey(self, cursors: Mapping[str, bytes]) -> Pending:
            """See ``Source``."""
            assert cursors == {}
            pending = super().survey(cursors)
            scan(TranscriptFolders([root]), store, now=lambda: 1)
            return pending

    appended = scan(Overtaken([root]), store, now=lambda: 2)

    assert appended == Appended(superseded=4)
    assert store.coverage().responses == 4
