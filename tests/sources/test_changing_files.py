"""Whatever happens to transcripts between two scans, nothing is lost or doubled."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from lines import LINES, text_of
from strategies import FlatPricer
from tollbook.core.event import UsageEvent
from tollbook.core.merge import merge
from tollbook.core.observation import Observation
from tollbook.formats.transcript import is_whole, parse_block
from tollbook.ledger.scan import scan
from tollbook.ports import Appended
from tollbook.sources import transcripts
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore

NAMES = st.sampled_from(
    ("a/1.jsonl", "a/2.jsonl", "a/s/subagents/3.jsonl", "b/1.jsonl")
)
TICK_S = 0.011
"""Longer than the step of a file system's clock."""


def look(store: MemoryStore, root: Path) -> Appended:
    """Scan a folder."""
    return scan(TranscriptFolders([root]), store, now=lambda: 1)


def whole_lines(text: bytes) -> list[bytes]:
    """The lines that are finished; the last one may be so without a newline."""
    *lines, last = text.split(b"\n")
    return [*lines, last] if is_whole(last) else lines


class Folder(RuleBasedStateMachine):
    """Files that grow, shrink, change, move and vanish between scans."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(transcripts, "_BLOCK_BYTES", 800)
        self.store = MemoryStore(FlatPricer(), "v1")
        self.said: list[tuple[str, Observation]] = []

    def teardown(self) -> None:
        """Leave nothing behind."""
        self.patch.undo()
        shutil.rmtree(self.root)

    def files(self) -> list[Path]:
        """What is there now."""
        return sorted(self.root.rglob("*.jsonl"))

    @initialize(lines=LINES)
    def begin(self, lines: list[object]) -> None:
        """Start with one file."""
        self.append("a/1.jsonl", lines)

    @rule(name=NAMES, lines=LINES)
    def append(self, name: str, lines: list[object]) -> None:
        """A client writes lines."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text_of(*lines))

    @rule(name=NAMES, lines=LINES, cut=st.integers(1, 700))
    def append_torn(self, name: str, lines: list[object], cut: int) -> None:
        """A client is interrupted."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            file.write(text_of(*lines)[:-cut])

    @precondition(lambda self: self.files())
    @rule(data=st.data(), lines=LINES)
    def rewrite(self, data: st.DataObject, lines: list[object]) -> None:
        """Other lines stand in a file."""
        path = data.draw(st.sampled_from(self.files()))
        time.sleep(TICK_S)
        path.write_bytes(text_of(*lines))

    @precondition(lambda self: self.files())
    @rule(data=st.data(), count=st.integers(0, 9))
    def rewrite_same_size(self, data: st.DataObject, count: int) -> None:
        """Counts change and nothing else does, not even a time."""
        path = data.draw(st.sampled_from(self.files()))
        before = path.stat()
        time.sleep(TICK_S)
        text = path.read_bytes().replace(b'_tokens":500', b'_tokens":90%d' % count)
        with path.open("r+b") as file:
            file.write(text)
        if data.draw(st.booleans()):
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    @precondition(lambda self: self.files())
    @rule(data=st.data(), lines=LINES)
    def replace(self, data: st.DataObject, lines: list[object]) -> None:
        """A new file takes a name."""
        path = data.draw(st.sampled_from(self.files()))
        other = path.with_suffix(".new")
        other.write_bytes(text_of(*lines))
        other.replace(path)

    @precondition(lambda self: self.files())
    @rule(data=st.data(), share=st.integers(0, 100))
    def truncate(self, data: st.DataObject, share: int) -> None:
        """A disk was full."""
        path = data.draw(st.sampled_from(self.files()))
        os.truncate(path, path.stat().st_size * share // 100)

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        """A client cleans up."""
        data.draw(st.sampled_from(self.files())).unlink()

    @precondition(lambda self: self.files())
    @rule(data=st.data(), name=NAMES)
    def move(self, data: st.DataObject, name: str) -> None:
        """A folder is renamed, or a file put over another."""
        target = self.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        data.draw(st.sampled_from(self.files())).replace(target)

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def touch(self, data: st.DataObject) -> None:
        """Only the time changes."""
        data.draw(st.sampled_from(self.files())).touch()

    @rule()
    def look(self) -> None:
        """Scan, and compare with all that ever stood in the files."""
        for path in self.files():
            project = path.relative_to(self.root).parts[0]
            for number, line in enumerate(whole_lines(path.read_bytes()), start=1):
                parsed = parse_block(
                    memoryview(line), origin="", first_line=number, project=project
                )
                self.said += [("claude-code", seen) for seen in parsed.observations]
        appended = look(self.store, self.root)
        expected = merge(self.said).values()
        found = [
            stored.event
            for session in ("session-1", "session-2")
            for stored in self.store.find_events(session=session)
        ]

        assert appended.superseded == 0
        assert texts(found) == texts(expected)
        assert self.store.coverage().responses == len(expected)
        assert look(self.store, self.root) == Appended()


def texts(events: Iterable[UsageEvent]) -> list[bytes]:
    """Events in an order and a spelling of their own."""
    return sorted(msgspec.json.encode(event, order="sorted") for event in events)


Folder.TestCase.settings = settings(max_examples=40, stateful_step_count=20)
TestFolder = Folder.TestCase
