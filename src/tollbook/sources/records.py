"""A file of records, read in bounded blocks: lines of JSON, one list, or a table."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import BinaryIO, Literal, cast

import msgspec

from tollbook.core.errors import SourceRejectedError
from tollbook.core.observation import Observation
from tollbook.core.problem import Problem
from tollbook.formats.ingest import Given, observe
from tollbook.formats.ingest_body import (
    FILED_RECORDS,
    UnreadableError,
    read_json,
    read_lines,
)
from tollbook.formats.ingest_record import Record, Refused
from tollbook.formats.records_csv import ColumnMap, TableError, read_rows
from tollbook.ports import Batch, Pending

SOURCE = "import"
Form = Literal["ndjson", "json", "csv"]

_BLOCK_BYTES = 1 << 20
_LINE_BYTES_MAX = 16 << 20
_JSON_BYTES_MAX = 64 << 20
_ROWS = 5_000  # of a table, in one batch
_SHOWN_MAX = 20
_GZIP = b"\x1f\x8b"

Numbered = Iterable[tuple[int, Record | Refused]]


class Import(msgspec.Struct, frozen=True, kw_only=True):
    """What is brought in, and how it is read."""

    origin: str  # the file's path, or "standard input"
    size: int  # bytes; 0 where nobody knows
    given: Given
    form: Form | None = None  # ``None``: as it looks
    columns: ColumnMap = {}


class RecordFile:
    """One file, as a source; packed with gzip or not.

    ``shown`` holds its first problems, ``ignored`` the names that are not understood,
    ``projects`` those that records name, each with the program that did so first.

    Args:
        file: Opened for bytes.
        order: What to do with it.
    """

    name = SOURCE

    def __init__(self, file: io.BufferedReader, order: Import) -> None:
        self._file = _unpacked(file)
        self._order = order
        self.shown: list[Problem] = []
        self.ignored: set[str] = set()
        self.projects: dict[str, str | None] = {}

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        """See ``Source.survey``. A file is read whole: what repeats counts once."""
        del cursors
        packed = isinstance(self._file, gzip.GzipFile)
        size = 0 if packed else self._order.size  # of what it holds nobody knows
        return Pending(items=[self._order], origins=1, size=size)

    def read(self, pending: Pending) -> Iterator[Batch]:
        """See ``Source.read``.

        Raises:
            SourceRejectedError: It cannot be read, or is no file of records.
        """
        del pending
        afresh = True
        try:
            for size, numbered in self._blocks():
                yield self._batch(numbered, size, afresh=afresh)
                afresh = False
        except (TableError, UnreadableError) as error:
            raise self._rejected(str(error)) from error
        except UnicodeDecodeError as error:
            why = "it is not UTF-8; convert it"
            raise self._rejected(why) from error
        except (EOFError, zlib.error) as error:
            why = "what is packed in it is cut off or damaged; pack it again"
            raise self._rejected(why) from error
        except OSError as error:
            why = f"{error.strerror or error}; look at the file and the disk"
            raise self._rejected(why) from error

    def _rejected(self, why: str) -> SourceRejectedError:
        return SourceRejectedError(f"{self._order.origin}: {why}")

    def _batch(self, numbered: Numbered, size: int, *, afresh: bool) -> Batch:
        observations: list[Observation] = []
        problems: list[Problem] = []
        for number, item in numbered:
            outcome = item
            if isinstance(outcome, Record):
                said = observe(outcome, self._order.given, number)
                if isinstance(said, Observation):
                    observations.append(said)
                    if said.project is not None:
                        self.projects.setdefault(said.project, said.app)
                    continue
                outcome = said
            problems.append(self._problem(outcome, number))
        self.shown += problems[: _SHOWN_MAX - len(self.shown)]
        return Batch(
            source=SOURCE,
            origin=self._order.origin,
            afresh=afresh,
            observations=observations,
            problems=problems,
            lines=len(observations) + len(problems),
            refused=len(problems),
            size=size,
        )

    def _problem(self, why: Refused, number: int) -> Problem:
        message = f"{why.path}: {why.message}" if why.path else why.message
        return Problem(
            origin=self._order.origin, line=number, code=why.code, message=message
        )

    def _blocks(self) -> Iterator[tuple[int, Numbered]]:
        head = self._file.read(_BLOCK_BYTES)
        form = self._order.form or form_of(head)
        rest = head.removeprefix(codecs.BOM_UTF8)
        read: dict[Form, Callable[[bytes], Iterator[tuple[int, Numbered]]]] = {
            "ndjson": self._lines,
            "json": self._document,
            "csv": self._table,
        }
        return read[form](rest)

    def _lines(self, rest: bytes) -> Iterator[tuple[int, Numbered]]:
        """Whole lines of JSON, a block of them at a time."""
        number, block = 1, rest
        while block:
            more = self._file.read(_BLOCK_BYTES)
            end = block.rfind(b"\n") + 1 if more else len(block)
            if not end and len(block) > _LINE_BYTES_MAX:
                message = "a line has over 16 MB; write one record a line"
                raise UnreadableError(message, code="unreadable_lines")
            whole, block = block[:end], block[end:] + more
            if whole:
                read = read_lines(whole, FILED_RECORDS, first_line=number)
                self.ignored.update(read.ignored)
                yield len(whole), zip(read.numbers, read.items, strict=True)
                number += whole.count(b"\n")

    def _document(self, rest: bytes) -> Iterator[tuple[int, Numbered]]:
        """One JSON text; its records are numbered from 1."""
        body = rest + self._file.read(_JSON_BYTES_MAX)
        if len(body) > _JSON_BYTES_MAX:
            message = "a JSON document of over 64 MB; write one record a line"
            raise UnreadableError(message, code="unreadable_json")
        read = read_json(body, FILED_RECORDS)
        self.ignored.update(read.ignored)
        yield len(body), zip(read.numbers, read.items, strict=True)

    def _table(self, rest: bytes) -> Iterator[tuple[int, Numbered]]:
        read = 0

        def texts() -> Iterator[str]:
            nonlocal read
            for line in _split(rest, self._file):
                read += len(line)
                yield line.decode()

        rows: list[tuple[int, Record | Refused]] = []
        done = 0
        for row in read_rows(texts(), self._order.columns):
            rows.append(row)
            if len(rows) >= _ROWS:
                yield read - done, rows
                rows, done = [], read
        yield read - done, rows


def _unpacked(file: io.BufferedReader) -> BinaryIO:
    """What a file holds, whether it is packed or not."""
    if file.peek(len(_GZIP)).startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=file))
    return file


def _split(head: bytes, file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file whose beginning was read already."""
    *lines, last = head.splitlines(keepends=True) or [b""]
    yield from lines
    yield last if last.endswith(b"\n") else last + file.readline(_LINE_BYTES_MAX)
    while line := file.readline(_LINE_BYTES_MAX):
        yield line


def form_of(head: bytes) -> Form:
    """What a file looks like by its beginning."""
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()[:1]
    if start == b"[":
        return "json"
    return "ndjson" if start in (b"{", b"") else "csv"


def size_of(path: str) -> int:
    """Bytes of a file; 0 for what has no size."""
    return os.stat(path).st_size
