"""Files of records, where they are large, broken, or on a failing disk."""

from __future__ import annotations

import gzip
import io

import pytest
from typing_extensions import Buffer

from tollbook.core.errors import SourceRejectedError
from tollbook.formats.ingest import Given
from tollbook.ports import Batch
from tollbook.sources.records import Form, Import, RecordFile

GIVEN = Given(now=1_795_500_000_000, nonce="n", timeless=False, past_max=None)
LINE = b'{"model":"m","timestamp":"2026-11-23T10:00:00Z"}\n'


class Disk(io.RawIOBase):
    """What is on a disk, and where it begins to fail."""

    def __init__(self, content: bytes, *, sound: int | None = None) -> None:
        super().__init__()
        self._content = io.BytesIO(content)
        self._sound = sound

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """The next bytes, or an error."""
        if self._sound is not None and self._content.tell() >= self._sound:
            raise OSError(5, "Input/output error")
        return self._content.readinto(buffer)


def source_of(file: Disk, form: Form | None = None, size: int = 0) -> RecordFile:
    order = Import(origin="a", size=size, given=GIVEN, form=form)
    return RecordFile(io.BufferedReader(file), order)


def batches(file: Disk, form: Form | None = None) -> list[Batch]:
    source = source_of(file, form)
    return list(source.read(source.survey({})))


def test_a_file_is_read_in_blocks_whose_lines_are_numbered_on() -> None:
    read = batches(Disk(LINE * 50_000 + b"{"))

    assert len(read) > 1
    assert [batch.afresh for batch in read] == [True] + [False] * (len(read) - 1)
    assert sum(batch.lines for batch in read) == 50_001
    assert read[-1].problems[0].line == 50_001
    assert sum(batch.size for batch in read) == len(LINE) * 50_000 + 1


def test_a_table_may_break_anywhere_between_two_reads() -> None:
    heading = b"model,timestamp\n"
    row = b"m,2026-11-23T10:00:00Z\n"
    for spare in range(3):
        first = heading + b"m" * spare + row * ((1 << 20) // len(row) + 2)
        read = batches(Disk(first))
        assert sum(batch.refused for batch in read) == 0
        assert sum(batch.lines for batch in read) == (1 << 20) // len(row) + 2
    blank = b"\n" * ((1 << 20) - len(heading) - len(row))
    assert sum(b.lines for b in batches(Disk(heading + row + blank + row))) == 2


def test_an_empty_file_holds_nothing() -> None:
    assert batches(Disk(b"")) == []


@pytest.mark.parametrize(
    ("file", "form", "said"),
    [
        (Disk(LINE * 30_000, sound=1), None, "Input/output error"),
        (Disk(b"{" * (18 << 20)), None, "a line has over 16 MB"),
        (Disk(b"[" + b" " * (66 << 20)), None, "over 64 MB"),
        (Disk(b"[1,"), None, "malformed|truncated"),
        (Disk(gzip.compress(LINE)[:-9]), None, "cut off or damaged"),
        (Disk(gzip.compress(LINE)[:12] + b"xxxx" * 9), None, "cut off or damaged"),
        (Disk(b"\x1f\x8bnot gzip"), None, "look at the file"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    file: Disk, form: Form | None, said: str
) -> None:
    with pytest.raises(SourceRejectedError, match=said):
        batches(file, form)


def test_a_packed_file_says_what_is_packed_in_it() -> None:
    source = source_of(Disk(gzip.compress(LINE * 3 + b"{")), size=99)
    pending = source.survey({})
    [read] = source.read(pending)

    assert (read.lines, read.refused, read.problems[0].line) == (4, 1, 4)
    assert pending.size == 0  # how far it came cannot be said


def test_the_projects_that_records_name_are_noted_with_who_reported_first() -> None:
    line = (
        b'{"model":"m","timestamp":"2026-11-23T10:00:00Z","project_id":"%s","app":"%s"}'
    )
    texts = [line % pair for pair in ((b"a", b"x"), (b"b", b"y"), (b"a", b"z"))]
    source = source_of(Disk(b"\n".join([*texts, LINE])))
    list(source.read(source.survey({})))

    assert source.projects == {"a": "x", "b": "y"}
