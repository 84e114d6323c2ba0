"""A block of a transcript's bytes to observations, calls, statements and problems.

Only lines that can speak of usage are decoded: the bytes ``"usage"`` cannot stand inside
a JSON string, where both quotes would be escaped, so a search finds every candidate and
the decoder removes the rest. ``formats/transcript_lines.py`` shows the lines' shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec
import stringzilla

from tollbook.core.identity import Chain, looks_like_the_providers
from tollbook.core.observation import Call, Observation, StatementLine
from tollbook.core.problem import Problem
from tollbook.formats.cost_state import statement
from tollbook.formats.transcript_lines import (
    Line,
    Message,
    Usage,
    decode_cost_state,
    decode_line,
    decode_progress,
    decode_request,
    decode_type,
    decode_where,
)
from tollbook.formats.transcript_usage import Draft, instant, observation

_NEWLINE = b"\n"
_USAGE = b'"usage"'
_OPEN, _CLOSE = ord("{"), ord("}")
_TYPE_INITIAL = ord("t")
_BEGINNINGS = (b'{"parentUuid"', b'{"type":"assistant"')  # of answers' lines
_ANSWER = b'"type":"assistant"'
_TAIL_BYTES = 600  # where a line names its type, when it ends with its marks
_HEAD_BYTES = 48  # where a line names its type, when it begins with it
_TIME_FIELD = "`$.timestamp`"  # how the decoder names what it refused
_BLANK = b" \t\r"
_BOM = b"\xef\xbb\xbf"
SYNTHETIC_MODEL = "<synthetic>"

_Find = Callable[..., int]
_Key = tuple[str | None, str | None, str | None, bool, datetime | None]


class Parsed(msgspec.Struct, frozen=True, gc=False):
    """What a block said.

    ``lines`` of them spoke of usage, ``refused`` of those could not be understood.
    ``newlines`` were passed in the ``consumed`` bytes.
    """

    observations: list[Observation]
    calls: list[Call]
    statements: list[StatementLine]
    problems: list[Problem]
    lines: int
    refused: int
    newlines: int
    consumed: int
    chain: Chain | None = None


def parse_block(
    block: memoryview,
    *,
    origin: str,
    first_line: int,
    project: str | None = None,
    agent: str | None = None,
    chain: Chain | None = None,
) -> Parsed:
    """Understand a block of whole lines.

    Args:
        block: Bytes that begin at a line's start and end behind a line's end.
        origin: The file's path, for problems.
        first_line: 1-based number of the block's first line.
        project: The folder the file lies in, below ``projects``.
        agent: The sub-agent's type, for a file of its own.
        chain: What the block before gave, when this one goes on behind it.
    """
    reader = _Reader(block, origin, first_line, chain)
    reader.read()
    return Parsed(
        observations=[
            observation(draft, project=project, agent=agent)
            for draft in reader.finished
        ],
        calls=list(reader.calls(project)),
        statements=reader.statements,
        problems=reader.problems,
        lines=reader.lines,
        refused=reader.refused,
        newlines=reader.number - first_line,
        consumed=reader.position,
        chain=reader.chain,
    )


def working_folder(block: memoryview) -> str | None:
    """The first ``cwd`` that a line of a block names."""
    text = stringzilla.Str(block)
    place = text.find(b'"cwd"')
    if place < 0:
        return None
    start = text.rfind(_NEWLINE, 0, place) + 1
    end = text.find(_NEWLINE, place)
    try:
        return decode_where(block[start : end if end >= 0 else len(block)]).cwd
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def is_whole(line: bytes | memoryview) -> bool:
    """Whether a line without its newline is a complete JSON object all the same."""
    try:
        decode_type(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


class _Reader:
    """Walks a block once, line by line."""

    def __init__(
        self, block: memoryview, origin: str, first_line: int, chain: Chain | None
    ) -> None:
        self.block = block
        self.origin = origin
        self.number = first_line
        self.position = 0
        self.lines = self.refused = 0
        self.found: list[tuple[int, memoryview]] = []
        self.finished: list[Draft] = []
        self.drafts: dict[_Key, Draft] = {}
        self.statements: list[StatementLine] = []
        self.problems: list[Problem] = []
        self.asked: list[Call] = []
        self.answered: dict[str, None] = {}
        self.chain = chain
        self._rescued: list[tuple[int, Line]] = []

    def read(self) -> None:
        self._find_lines()
        try:
            self._collect([(number, decode_line(text)) for number, text in self.found])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._collect(self._decode_one_by_one())
        self._collect(self._rescued)

    def _find_lines(self) -> None:
        """Note the lines that may carry usage, and deal with the odd ones at once."""
        block, size = self.block, len(self.block)
        find = stringzilla.Str(block).find
        found = self.found
        number, position = self.number, self.position
        if number == 1 and bytes(block[:3]) == _BOM:
            position = 3
        while position < size:
            end = find(_NEWLINE, position)
            if end < 0:
                end = size
            if block[position] != _OPEN or block[end - 1] != _CLOSE:
                end = self._odd_line(position, end, number, find)
                if end < 0:
                    break
                number += bytes(block[position:end]).count(_NEWLINE)
            elif (
                find(_USAGE, position, end) >= 0
                or find(_ANSWER, max(position, end - _TAIL_BYTES), end) >= 0
            ):
                found.append((number, block[position:end]))
            elif end - position > _HEAD_BYTES and block[position + 2] == _TYPE_INITIAL:
                self._typed_line(position, end, number)
            number += 1
            position = end + 1
        self.number, self.position = number, min(position, size)

    def _decode_one_by_one(self) -> Iterator[tuple[int, Line]]:
        """Decode the lines that can be decoded; the others become problems."""
        for number, text in self.found:
            try:
                yield number, decode_line(text)
            except msgspec.ValidationError as error:
                self._shape(text, number, error)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                self._rescue(number, bytes(text))

    def _rescue(self, number: int, text: bytes) -> None:
        """Read an answer that stands behind the remains of a cut line, or behind NULs.

        A client that crashed, or ran on a full disk, goes on where its last write ended.
        """
        start = max(text.rfind(mark, 1) for mark in _BEGINNINGS)
        pieces = [text] if start < 0 else [text[:start], text[start:]]
        found = [line for line in map(_decoded, pieces) if line is not None]
        self._rescued.extend((number, line) for line in found)
        if not found:
            self._refuse(number, "line-not-json", "the line is cut or damaged JSON")
        elif len(found) < len(pieces):
            self._problem(number, "line-not-json", "a part of the line was cut off")

    def _collect(self, lines: Iterable[tuple[int, Line]]) -> None:
        """Put lines that speak of the same response together."""
        for number, line in lines:
            message = line.message
            if line.type == "assistant" and message is not None:
                self._assistant(line, message, number)
            elif line.type == "progress":
                self._progress(line, number)

    def _progress(self, outer: Line, number: int) -> None:
        try:
            inner = decode_progress(outer.data).message
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return
        if (
            inner is not None
            and inner.type == "assistant"
            and inner.message is not None
        ):
            inner.sessionId = inner.sessionId or outer.sessionId
            inner.timestamp = inner.timestamp or outer.timestamp
            inner.isSidechain = True
            inner.forkedFrom = inner.forkedFrom or outer.forkedFrom
            self._assistant(inner, inner.message, number)

    def _assistant(self, line: Line, message: Message, number: int) -> None:
        if message.model == SYNTHETIC_MODEL or line.isApiErrorMessage:
            return
        if message.usage is None:
            if not message.id:
                return
            message.usage = Usage()  # an answer all the same: its usage is missing
        self.lines += 1
        at = line.timestamp
        if at is None or at.tzinfo is None:
            self.lines -= 1
            self._refuse(number, "line-time", "the line has no time with a zone")
            return
        if line.requestRef is not None:
            self.answered[line.requestRef] = None
        moment = None
        if line.requestId is None and not looks_like_the_providers(message.id or ""):
            moment = self._moment(line, message.id, at)
        key = (message.id, line.requestId, line.sessionId, line.isSidechain, moment)
        draft = self.drafts.get(key)
        if draft is None or not draft.absorb(line, message, number, at):
            draft = self.drafts[key] = Draft(line, message, number, at)
            draft.first_at = moment or at
            self.finished.append(draft)
        content = message.content
        if content is not None and not isinstance(content, str):
            draft.add_tools(content)

    def calls(self, project: str | None) -> Iterator[Call]:
        """Requests sent and answered within this block cancel out only in the ledger."""
        for call in self.asked:
            yield msgspec.structs.replace(call, project=project)
        for reference in self.answered:
            yield Call(reference=reference, asked=False)

    def _moment(self, line: Line, message_id: str | None, at: datetime) -> datetime:
        """When an answer began that only session and time can name.

        Its further lines follow each other by ``parentUuid`` and share that time.
        """
        known = self.chain
        if known is not None and known[:2] == (message_id, line.parentUuid):
            at = known[2]
        self.chain = (message_id, line.uuid, at) if line.uuid else None
        return at

    def _shape(self, text: memoryview, number: int, error: Exception) -> None:
        """A line of an unknown shape matters only if it is an answer."""
        try:
            kind = decode_type(text).type
        except (msgspec.DecodeError, UnicodeDecodeError):
            kind = None
        if kind == "assistant":
            if _TIME_FIELD in str(error):
                self._refuse(
                    number, "line-time", "the line's time cannot be understood"
                )
                return
            message = f"the usage has an unknown shape ({error})"
            self._refuse(number, "line-shape", message)

    def _typed_line(self, start: int, end: int, number: int) -> None:
        head = bytes(self.block[start : start + _HEAD_BYTES])
        try:
            if b'"assistant"' in head:
                self._note(number, self.block[start:end])
            elif b'"api-request"' in head:
                self._request(self.block[start:end])
            elif b'"cost-state"' in head:
                state = decode_cost_state(self.block[start:end])
                self.statements.extend(statement(state, number))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            message = f"the line has an unknown shape ({error})"
            self._problem(number, "line-shape", message)

    def _request(self, text: memoryview) -> None:
        request = decode_request(text)
        at = request.timestamp
        self.asked.append(
            Call(
                reference=request.id,
                asked=True,
                session=request.sessionId,
                at=instant(at) if at is not None and at.tzinfo is not None else None,
                model=request.params.model if request.params else None,
            )
        )

    def _odd_line(self, start: int, end: int, number: int, find: _Find) -> int:
        """A line that is no compact JSON object: blank, indented, cut or noise.

        Returns:
            Where it ends; -1 when its end has not been written yet.
        """
        text = bytes(self.block[start:end]).strip(_BLANK)
        if text == b"{":
            end = _pretty_end(self.block, end, find)
            if end > 0 and find(_USAGE, start, end) >= 0:
                self._note(number, self.block[start:end])
        elif text and text[0] == _OPEN and text[-1] == _CLOSE:
            if _USAGE in text:
                self._note(number, memoryview(text))
        elif _USAGE in text:
            self._rescue(number, text)
        elif text:
            self._problem(number, "line-not-json", "the line is cut or is not JSON")
        return end

    def _note(self, number: int, text: memoryview) -> None:
        self.found.append((number, text))

    def _refuse(self, number: int, code: str, message: str) -> None:
        self.lines += 1
        self.refused += 1
        self._problem(number, code, message)

    def _problem(self, number: int, code: str, message: str) -> None:
        self.problems.append(
            Problem(
                origin=self.origin, line=number, code=code, message=_remedy(message)
            )
        )


def _decoded(text: bytes) -> Line | None:
    try:
        return decode_line(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _pretty_end(block: memoryview, end: int, find: _Find) -> int:
    """Where an object that was written over several lines ends; -1: not yet here."""
    while (close := find(b"\n}", end)) >= 0:
        end = close + 2
        if end == len(block) or bytes(block[end : end + 2]) in (b"\r\n", b"\n"):
            return end
        if block[end] == _NEWLINE[0]:
            return end
    return -1


def _remedy(message: str) -> str:
    return f"{message}; its usage is not counted, restore the file if you have a copy"
