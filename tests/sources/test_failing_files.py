"""Transcripts that cannot be read to their end."""

from __future__ import annotations

import errno
import os
from io import FileIO
from pathlib import Path

import pytest

from lines import ID, answer, text_of
from strategies import MESSAGE_IDS, FlatPricer
from tollbook.ledger import scan as scanning
from tollbook.ledger.scan import scan
from tollbook.ports import Appended
from tollbook.sources import transcripts
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore


def ledger() -> MemoryStore:
    """A new ledger."""
    return MemoryStore(FlatPricer(), "v1")


def look(store: MemoryStore, root: Path) -> Appended:
    """Scan a folder."""
    return scan(TranscriptFolders([root]), store, now=lambda: 1)


def write(root: Path, text: bytes) -> Path:
    """A transcript of one project."""
    path = root / "-work" / "1.jsonl"
    path.parent.mkdir()
    path.write_bytes(text)
    return path


def second() -> dict[str, object]:
    """The line of another response."""
    return answer({"id": MESSAGE_IDS[1]}, requestId="req_2")


def codes(store: MemoryStore) -> list[tuple[int, str]]:
    """Every problem by line and code."""
    return [(problem.line, problem.code) for problem in store.problems()]


def known(store: MemoryStore) -> list[str]:
    """The responses in the ledger."""
    return [name for name in MESSAGE_IDS if list(store.find_events(response=name))]


def test_a_giant_line_without_an_end_is_passed_over_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(transcripts, "LINE_BYTES_MAX", 4 << 10)
    store = ledger()
    write(tmp_path, text_of(answer()) + b'{"message":' + b"x" * 20_000)
    look(store, tmp_path)

    assert codes(store) == [(2, "line-too-long")]
    assert look(store, tmp_path) == Appended()
    assert known(store) == [ID]


def test_a_giant_line_that_ends_at_last_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(transcripts, "LINE_BYTES_MAX", 4 << 10)
    store = ledger()
    path = write(tmp_path, text_of(answer()) + b'{"message":' + b"x" * 20_000)
    look(store, tmp_path)
    with path.open("ab") as file:
        file.write(b'x"}\n' + text_of(second(), b'{"usage":'))
    look(store, tmp_path)

    assert (2, "line-too-long") in codes(store)
    assert codes(store)[-1] == (4, "line-not-json")
    assert len(known(store)) == 2


def test_a_disk_that_fails_in_the_middle_of_a_file_costs_nothing_that_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_BLOCK_BYTES", 1 << 10)
    store = ledger()
    write(
        tmp_path,
        text_of(answer(), b'{"type":"user","x":"' + b"x" * 2000 + b'"}', second()),
    )

    class Failing(FileIO):
        """Bytes behind the first block cannot be read today."""

        def seek(self, offset: int, whence: int = 0, /) -> int:
            """See ``IOBase``."""
            if offset:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            return super().seek(offset, whence)

    def fail(path: str, mode: str, **more: object) -> FileIO:
        assert more
        return Failing(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(transcripts, "open", fail, raising=False)
        look(store, tmp_path)
        assert codes(store) == [(0, "file-unreadable")]
        assert known(store) == [ID]
    look(store, tmp_path)

    assert codes(store) == []
    assert known(store) == [ID, MESSAGE_IDS[1]]


def test_a_scan_that_is_stopped_in_the_middle_of_a_file_comes_back_for_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcripts, "_BLOCK_BYTES", 1 << 10)
    monkeypatch.setattr(scanning, "_TRANSACTION_BYTES", 1)
    store = ledger()
    lines = [answer({"id": name}, requestId=name) for name in MESSAGE_IDS]
    write(tmp_path, text_of(*lines))

    def interrupt(done: int, total: int) -> None:
        if known(store):
            raise KeyboardInterrupt(done, total)

    with pytest.raises(KeyboardInterrupt):
        scan(TranscriptFolders([tmp_path]), store, now=lambda: 1, progress=interrupt)
    assert 0 < len(known(store)) < len(MESSAGE_IDS)
    look(store, tmp_path)

    assert known(store) == list(MESSAGE_IDS)
    assert look(store, tmp_path) == Appended()
