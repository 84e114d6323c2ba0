"""Claude Code's transcripts, read as they grow.

A file is read from where the last read stopped, as long as the bytes before that place
are those that were read; a file that was truncated, rewritten or replaced is read again
from its beginning. Nothing is lost or doubled either way, for what a line says twice
counts once.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from io import FileIO

import msgspec

from tollbook.core.observation import Observation
from tollbook.core.problem import Problem
from tollbook.formats.agent_meta import agent_type
from tollbook.formats.transcript import Parsed, is_whole, parse_block, working_folder
from tollbook.ports import Batch, Pending, StrPath
from tollbook.sources.transcript_files import (
    HASH_BYTES,
    SOURCE,
    SURVEY,
    Found,
    Odds,
    checksum,
    cursor_of,
    encode_cursor,
    encode_problems,
    survey,
    unreadable,
)

_BLOCK_BYTES = 1 << 20
LINE_BYTES_MAX = 64 << 20
_OPEN_FLAGS = os.O_RDONLY
for _flag in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
    _OPEN_FLAGS |= getattr(os, _flag, 0)  # no platform has them all
_NEWLINE = b"\n"


class TranscriptFolders:
    """All transcripts below some folders."""

    name = SOURCE

    def __init__(self, roots: Sequence[StrPath]) -> None:
        self.roots = roots

    def survey(self, cursors: Mapping[str, bytes]) -> Pending:
        """See ``Source.survey``. Costs one look at each file's status."""
        return survey(self.roots, cursors)

    def read(self, pending: Pending) -> Iterator[Batch]:
        """See ``Source.read``."""
        buffer = bytearray(_BLOCK_BYTES)
        for item in pending.items:
            if isinstance(item, Odds):
                yield _told(item)
            else:
                assert isinstance(item, Found)
                reader = _FileReader(item, buffer)
                yield from reader.batches()
                buffer = reader.buffer


def _told(odds: Odds) -> Batch:
    """What the survey could not look at, in place of what it said the last time."""
    return Batch(
        source=SOURCE,
        origin=SURVEY,
        previous=odds.saved,
        cursor=encode_problems(odds.problems),
        afresh=True,
        problems=odds.problems,
    )


def _opened(path: str, _: int) -> int:
    return os.open(path, _OPEN_FLAGS)


class _FileReader:
    """Reads one file's news in blocks of whole lines."""

    def __init__(self, found: Found, buffer: bytearray) -> None:
        self.found = found
        self.buffer = buffer
        self.file: FileIO
        self.cursor = found.seen
        self.saved = found.saved
        self.afresh = found.known is None
        self.label: str | None = None
        self.agent: str | None = None
        self.apart = os.path.basename(found.path).startswith("agent-")

    def batches(self) -> Iterator[Batch]:
        """Every batch of the file; what goes wrong becomes a problem in the last one."""
        path = self.found.path
        try:
            self.file = open(path, "rb", buffering=0, opener=_opened)  # noqa: SIM115  # closed below
        except FileNotFoundError:
            return  # deleted since the survey: what was read before stays
        except OSError as error:
            yield self._failed(error)
            return
        with self.file:
            try:
                if stat.S_ISREG(os.fstat(self.file.fileno()).st_mode):
                    self._resume()
                    yield from self._blocks()
            except OSError as error:
                yield self._failed(error)

    def _failed(self, error: OSError) -> Batch:
        problem = unreadable(self.found.path, error)
        return Batch(source=SOURCE, origin=self.found.path, problems=[problem])

    def _resume(self) -> None:
        """Go on behind what was read, if the file still begins with it."""
        seen, known = cursor_of(os.fstat(self.file.fileno())), self.found.known
        self.cursor = seen
        if known is None:
            return
        self.afresh = True
        if seen.size <= known.size or seen.inode != known.inode:
            return
        if (
            self._checksum(0, min(known.offset, HASH_BYTES)) == known.head
            and self._checksum(max(0, known.offset - HASH_BYTES), known.offset)
            == known.tail
        ):
            self.afresh = False
            self.cursor = msgspec.structs.replace(
                seen,
                offset=known.offset,
                line=known.line,
                head=known.head,
                tail=known.tail,
                chain=known.chain,
            )

    def _checksum(self, start: int, end: int) -> int:
        self.file.seek(start)
        return checksum(self.file.read(end - start) or b"")

    def _fill(self, view: memoryview, position: int) -> int:
        self.file.seek(position)
        return self.file.readinto(view) or 0

    def _blocks(self) -> Iterator[Batch]:
        """Fill the buffer, hand on its whole lines, keep the rest for the next round."""
        kept, finished = 0, False
        while not finished:
            view = memoryview(self.buffer)
            position = self.cursor.offset + kept
            filled = kept + self._fill(view[kept:], position)
            finished = filled < len(self.buffer)
            consumed, parsed = self._parse(filled, finished=finished)
            if consumed or finished:
                yield self._batch(parsed, filled - kept, finished=finished)
                kept = filled - consumed
                self.buffer[:kept] = bytes(view[consumed:filled])
            elif len(self.buffer) < LINE_BYTES_MAX:
                kept = filled
                self.buffer = self.buffer.ljust(2 * len(self.buffer), b"\0")
            else:
                yield self._skip_line(view)
                kept = 0

    def _parse(self, filled: int, *, finished: bool) -> tuple[int, list[Parsed]]:
        """Understand whole lines, and at the file's end a last one without newline."""
        view = memoryview(self.buffer)
        end = self.buffer.rfind(_NEWLINE, 0, filled) + 1
        parsed = self._parse_lines(view[:end])
        if parsed.consumed:
            self._advance(view[: parsed.consumed], parsed)
        tail = view[parsed.consumed : filled]
        if finished and tail and parsed.consumed == end and is_whole(tail):
            return parsed.consumed, [parsed, self._parse_lines(tail)]
        return parsed.consumed, [parsed]

    def _parse_lines(self, block: memoryview) -> Parsed:
        found = self.found
        if self.label is None and block:
            self._learn_folder(block)
        parsed = parse_block(
            block,
            origin=found.path,
            first_line=self.cursor.line + 1,
            project=found.project,
            agent=self.agent,
            chain=self.cursor.chain,
        )
        if self.agent is None and self.apart and _nameless(parsed.observations):
            self.agent = self._agent()
            return parsed if self.agent is None else self._parse_lines(block)
        return parsed

    def _agent(self) -> str | None:
        """The sub-agent's type, which older clients wrote beside the transcript only."""
        try:
            with open(
                self.found.path.removesuffix(".jsonl") + ".meta.json", "rb"
            ) as file:
                return agent_type(file.read())
        except OSError:
            return None

    def _skip_line(self, view: memoryview) -> Batch:
        """Pass over a line no program should write, without holding it in memory."""
        position, size, ended = self.cursor.offset, 0, False
        while not ended and (count := self._fill(view, position)) > 0:
            newline = self.buffer.find(_NEWLINE, 0, count)
            ended = newline >= 0
            size += newline if ended else count
            position += newline + 1 if ended else count
        line = self.cursor.line + 1
        self.cursor = msgspec.structs.replace(
            self.cursor,
            offset=position,
            line=line if ended else line - 1,  # what comes yet belongs to it
            head=self._checksum(0, min(position, HASH_BYTES)),
            tail=self._checksum(max(0, position - HASH_BYTES), position),
        )
        problem = Problem(
            origin=self.found.path,
            line=line,
            code="line-too-long",
            message=f"the line has {size} bytes, {LINE_BYTES_MAX} at most are read; "
            "its usage is not counted",
        )
        nothing = Parsed([], [], [], [problem], 0, 0, 1, size)
        return self._batch([nothing], size, finished=False)

    def _batch(self, both: Sequence[Parsed], size: int, *, finished: bool) -> Batch:
        cursor = self.cursor
        if (
            not finished
        ):  # else a scan that ends here would never come back for the rest
            cursor = msgspec.structs.replace(cursor, size=cursor.offset)
        encoded = encode_cursor(cursor)
        batch = Batch(
            source=SOURCE,
            origin=self.found.path,
            previous=self.saved,
            cursor=encoded,
            afresh=self.afresh,
            observations=[o for p in both for o in p.observations],
            calls=[c for p in both for c in p.calls],
            statements=[s for p in both for s in p.statements],
            problems=[x for p in both for x in p.problems],
            labels={self.found.project: self.label} if self.label else {},
            lines=sum(p.lines for p in both),
            refused=sum(p.refused for p in both),
            size=size,
        )
        self.saved, self.afresh = encoded, False
        return batch

    def _advance(self, block: memoryview, parsed: Parsed) -> None:
        cursor = self.cursor
        end = cursor.offset + len(block)
        head, tail = cursor.head, checksum(block[-HASH_BYTES:])
        if not cursor.offset:
            head = checksum(block[:HASH_BYTES])
        elif len(block) < HASH_BYTES or cursor.offset < HASH_BYTES:
            head = self._checksum(0, min(end, HASH_BYTES))
            tail = self._checksum(max(0, end - HASH_BYTES), end)
        self.cursor = msgspec.structs.replace(
            cursor,
            offset=end,
            line=cursor.line + parsed.newlines,
            head=head,
            tail=tail,
            chain=parsed.chain,
        )

    def _learn_folder(self, block: memoryview) -> None:
        """The path the project's folder name stands for, from a line's ``cwd``.

        The name is the path with every other character made a dash, so a working folder
        below the project's begins with a path of just that length.
        """
        cwd = working_folder(block)
        name = self.found.project
        if cwd is not None:
            dashed = "".join(c if c.isascii() and c.isalnum() else "-" for c in cwd)
            if dashed.startswith(name):
                self.label = cwd[: len(name)]


def _nameless(observations: Sequence[Observation]) -> bool:
    return any(seen.sidechain and seen.agent is None for seen in observations)
