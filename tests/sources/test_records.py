"""Files of records, where they are large, broken, or on a failing disk."""

from __future__ import annotations

import io

import pytest

from tollbook.core.errors import SourceRejectedError
from tollbook.formats.ingest import Given
from tollbook.ports import Batch
from tollbook.sources.records import Form, Import, RecordFile

GIVEN = Given(now=1_795_500_000_000, nonce="n", timeless=False, past_max=None)
LINE = b'{"model":"m","timestamp":"2026-11-23T10:00:00Z"}\n'


class FailingFile(io.BytesIO):
    """A disk that gives a first block and then no more."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The first block, or an error."""
        if self.tell():
            raise OSError(5, "Input/output error")
        return super().read(size)


def batches(file: io.BytesIO, form: Form | None = None) -> list[Batch]:
    source = RecordFile(file, Import(origin="a", size=0, given=GIVEN, form=form))
    return list(source.read(source.survey({})))


def test_a_file_is_read_in_blocks_whose_lines_are_numbered_on() -> None:
    read = batches(io.BytesIO(LINE * 50_000 + b"{"))

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
        read = batches(io.BytesIO(first))
        assert sum(batch.refused for batch in read) == 0
        assert sum(batch.lines for batch in read) == (1 << 20) // len(row) + 2
    blank = b"\n" * ((1 << 20) - len(heading) - len(row))
    assert sum(b.lines for b in batches(io.BytesIO(heading + row + blank + row))) == 2


def test_an_empty_file_holds_nothing() -> None:
    assert batches(io.BytesIO(b"")) == []


@pytest.mark.parametrize(
    ("file", "form", "said"),
    [
        (FailingFile(LINE * 30_000), None, "Input/output error"),
        (io.BytesIO(b"{" * (18 << 20)), None, "a line has over 16 MB"),
        (io.BytesIO(b"[" + b" " * (66 << 20)), None, "over 64 MB"),
        (io.BytesIO(b"[1,"), None, "malformed|truncated"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    file: io.BytesIO, form: Form | None, said: str
) -> None:
    with pytest.raises(SourceRejectedError, match=said):
        batches(file, form)
