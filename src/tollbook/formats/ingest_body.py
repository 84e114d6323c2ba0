"""A request's body, or a block of a file, to records and reasons for refusal.

Four ways to send records: one object; a list; an object whose ``events`` is a list; and
one object per line. CloudEvents come in the same ways (``formats/cloudevents.py``). All
of a body is decoded at once. Only where that fails, or where something was lost on the
way, it is taken apart, so that one bad record spoils no other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from tollbook.formats.ingest_record import FIELDS, Record, Refused
from tollbook.formats.strict_json import lost_nothing

RECORDS_MAX = 10_000
UNKNOWN_MAX = 64
"""How many fields of a record may be unknown; more is something else than a record."""

_IGNORED_MAX = 20
_NAME_MAX = 64
_BLANK = b" \t\r\n"
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_PLACE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(\w+)`")

T = TypeVar("T")
_Any = TypeVar("_Any")


class UnreadableError(ValueError):
    """A body as a whole is not what it says it is."""

    def __init__(self, message: str, *, code: str) -> None:
        self.code = code
        super().__init__(message)


class Read(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """What a body held, in order, each with its number (of the line, or from 1)."""

    items: Sequence[T | Refused]
    numbers: Sequence[int]
    ignored: Sequence[str] = ()  # names of fields that are not understood
    single: bool = False  # it was one record, not a list of one


class Kind(Generic[T]):
    """What a body holds many of.

    Args:
        shape: The struct of one.
        unknown: The names in one decoded object that the struct does not know.
        records_max: How many a body may hold.
    """

    def __init__(
        self,
        shape: type[T],
        unknown: Callable[[dict[str, Any]], Iterable[str]],
        *,
        records_max: int = RECORDS_MAX,
    ) -> None:
        self.one = msgspec.json.Decoder(shape)
        self.many = msgspec.json.Decoder(list[shape])  # type: ignore[valid-type]  # at run time it is a type
        self.unknown = unknown
        self.records_max = records_max

    def hold(self, count: int) -> None:
        """Refuse more than may come at once."""
        if count > self.records_max:
            most = f"{self.records_max:,} are the most; send several batches"
            message = f"{count:,} records, {most}"
            raise UnreadableError(message, code="too_many_events")


class _Wrapper(msgspec.Struct):
    events: msgspec.Raw | UnsetType = UNSET


def _unknown(plain: dict[str, Any]) -> set[str]:
    return plain.keys() - FIELDS


RECORDS = Kind(Record, _unknown)
FILED_RECORDS = Kind(Record, _unknown, records_max=1_000_000)
"""The same, in a file's block."""

_wrapper = msgspec.json.Decoder(_Wrapper)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_plain_one = msgspec.json.Decoder(dict[str, Any])
_plain_many = msgspec.json.Decoder(list[dict[str, Any]])


def read_json(body: bytes, kind: Kind[T]) -> Read[T]:
    """One object, a list, or an object with ``events``.

    Raises:
        UnreadableError: It is no JSON, or none of the three.
    """
    start = body.lstrip(_BLANK)[:1] if body[:1] in _BLANK else body[:1]
    if start == b"[":
        read = _read_list(body, kind)
        if not read.items:
            message = 'the list is empty; `{"events": []}` says so on purpose'
            raise UnreadableError(message, code="empty_list")
        return read
    wrapper = _decoded(_wrapper, body)
    if wrapper.events is UNSET:
        one = _read_list(b"[" + body + b"]", kind)
        return msgspec.structs.replace(one, single=True)
    events = bytes(wrapper.events)
    if not events.startswith(b"["):
        message = "`events` is no list; send a list"
        raise UnreadableError(message, code="unreadable_batch")
    read = _read_list(events, kind)
    if lost_nothing(body, msgspec.json.encode(wrapper)):
        return read
    plain = _decoded(_plain_one, body)
    if not lost_nothing(body, msgspec.json.encode(plain)):
        if any(isinstance(item, Refused) for item in read.items):
            return read  # it may be in there, and was told already
        message = "a field is given twice; send it once"
        raise UnreadableError(message, code="unreadable_json")
    return msgspec.structs.replace(
        read, ignored=_shown({*read.ignored, *(plain.keys() - {"events"})})
    )


def read_lines(block: bytes, kind: Kind[T], *, first_line: int = 1) -> Read[T]:
    """One object per line; empty lines say nothing."""
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    try:
        items = kind.one.decode_lines(block)
        if len(items) == lines and lost_nothing(block, msgspec.json.encode(items)):
            kind.hold(len(items))
            return Read(items, range(first_line, first_line + lines))
    except _UNREADABLE:
        pass
    numbers, texts = [], []
    for number, line in enumerate(block.split(b"\n"), first_line):
        if line.strip(_BLANK):
            numbers.append(number)
            texts.append(line)
    return _one_by_one(texts, numbers, kind)


def _read_list(text: bytes, kind: Kind[T]) -> Read[T]:
    try:
        items = kind.many.decode(text)
        if lost_nothing(text, msgspec.json.encode(items)):
            kind.hold(len(items))
            return Read(items, range(1, len(items) + 1))
        plain = _plain_many.decode(text)
        unknown = [set(kind.unknown(each)) for each in plain]
        if lost_nothing(text, msgspec.json.encode(plain)) and all(
            len(names) <= UNKNOWN_MAX for names in unknown
        ):
            kind.hold(len(items))
            ignored = _shown(set().union(*unknown))
            return Read(items, range(1, len(items) + 1), ignored)
    except _UNREADABLE:
        pass
    texts = _decoded(_raws, text)
    return _one_by_one(texts, range(1, len(texts) + 1), kind)


def _decoded(decoder: msgspec.json.Decoder[_Any], text: bytes) -> _Any:
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        message = "neither a record nor a list of records; send one of them"
        raise UnreadableError(message, code="unreadable_batch") from error
    except _UNREADABLE as error:
        raise UnreadableError(_trouble(error), code="unreadable_json") from error


def _trouble(error: Exception) -> str:
    """Why a text is no JSON. The decoder tells the place, and nothing of the text."""
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return f"{error}; send sound JSON"


def _one_by_one(
    texts: Sequence[bytes | msgspec.Raw], numbers: Sequence[int], kind: Kind[T]
) -> Read[T]:
    kind.hold(len(texts))
    ignored: set[str] = set()
    items = list(map(partial(_one, kind, ignored), texts))
    return Read(items, numbers, _shown(ignored))


def _one(kind: Kind[T], ignored: set[str], text: bytes | msgspec.Raw) -> T | Refused:
    try:
        item = kind.one.decode(text)
        if lost_nothing(text, msgspec.json.encode(item)):
            return item
        plain = _plain_one.decode(text)
    except msgspec.ValidationError as error:
        return misshapen(error)
    except _UNREADABLE as error:
        return Refused(code="record-json", message=_trouble(error), path="")
    unknown = set(kind.unknown(plain))
    if not lost_nothing(text, msgspec.json.encode(plain)):
        message = "a field is given twice; send it once"
        return Refused(code="record-json", message=message, path="")
    if len(unknown) > UNKNOWN_MAX:
        message = f"{len(unknown):,} unknown fields; a record has few"
        return Refused(code="record-shape", message=message, path="")
    ignored |= unknown
    return item


def misshapen(error: msgspec.ValidationError) -> Refused:
    """A decoder's complaint in our words; it names fields and types, never values."""
    said = _PLACE.fullmatch(str(error))
    assert said is not None
    message, path = said[1].replace("`", ""), said[2] or ""
    if missing := _MISSING.match(said[1]):
        message, path = "it is not there; add it", f"{path}.{missing[1]}".lstrip(".")
    return Refused(
        code="record-shape", message=message[:1].lower() + message[1:], path=path
    )


def _shown(names: set[str]) -> list[str]:
    fit = [name for name in names if len(name) <= _NAME_MAX and name.isprintable()]
    return sorted(fit)[:_IGNORED_MAX]
