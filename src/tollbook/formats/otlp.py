"""What OpenTelemetry sends, in one shape for its two encodings.

An export request is a list of resources, each with scopes, each with items: log records,
spans or the points of metrics. ``otlp_json`` and ``otlp_protobuf`` read the bytes into the
``Group`` below; the dialects (``otlp_claude_code``, ``otlp_metrics``, ``otlp_spans``) see
nothing else. An attribute whose value is a list, a map or bytes is left out here: none of
them says anything about usage, and some hold prompts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Generic, TypeVar

import msgspec

from tollbook.core.observation import Instant
from tollbook.core.units import COUNT_MAX

ITEMS_MAX = 20_000  # of one request
ATTRIBUTES_MAX = 512  # of one item; what stands behind them is not looked at
NAME_MAX = 256  # characters of an attribute's name; a longer one is none of ours
TEXT_MAX = 512  # characters of a text that is kept
NANOS_PER_MS = 1_000_000
_WHOLE = re.compile(r"-?[0-9]{1,19}", re.ASCII)

Value = str | int | bool | Decimal
Attributes = Mapping[str, Value]

T = TypeVar("T")


class BadBytesError(ValueError):
    """The body is no export request at all: not JSON, or not protobuf."""


class TooManyError(ValueError):
    """The request holds more than is taken at once."""

    def __init__(self) -> None:
        super().__init__(f"more than {ITEMS_MAX:,} items; export smaller batches")


class UnusableItemError(ValueError):
    """One item cannot be used; the text says why, without what it held."""


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """One log record. Times are nanoseconds; 0 is unknown."""

    time: int
    name: str  # the event's name, where the record has such a field
    body: str  # only when it is a text
    attributes: Attributes


class Span(msgspec.Struct, frozen=True, gc=False):
    """One span. Ids are lower-case hex, times nanoseconds."""

    trace: str
    span: str
    parent: str
    name: str
    client: bool  # its kind is CLIENT
    start: int
    end: int
    failed: bool  # its status is an error
    attributes: Attributes

    @property
    def own(self) -> str:
        """What names the span itself.

        Raises:
            UnusableItemError: Its ids are missing.
        """
        if not self.trace or not self.span:
            msg = "it has no trace id or no span id"
            raise UnusableItemError(msg)
        return f"{self.trace}/{self.span}"


class Point(msgspec.Struct, frozen=True, gc=False):
    """One point of a sum, or the sum of one point of a histogram."""

    metric: str
    delta: bool | None  # ``None``: neither delta nor cumulative
    start: int
    end: int
    value: int | Decimal | None
    attributes: Attributes


class Group(msgspec.Struct, Generic[T], frozen=True, gc=False):
    """The items of one scope of one resource."""

    resource: Attributes
    scope: str
    items: list[T]
    broken: int = 0  # items whose shape could not be understood


def whole(value: object) -> int | None:
    """A number that JSON may write as a number or as a text; ``None`` for all else."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, Decimal):
        exact = value.is_finite() and abs(value) <= COUNT_MAX and value == int(value)
        return int(value) if exact else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(attributes: Attributes, *names: str) -> str | None:
    """The first of some attributes that is a text with something in it, at most so long."""
    for name in names:
        value = attributes.get(name)
        if isinstance(value, str) and value:
            return value[:TEXT_MAX]
    return None


def count(attributes: Attributes, *names: str) -> int | None:
    """The first of some attributes that is there, as a count.

    Raises:
        UnusableItemError: It is no whole number, below zero, or beyond ``COUNT_MAX``.
    """
    for name in names:
        value = attributes.get(name)
        if value is not None:
            number = whole(value)
            if number is None or not 0 <= number <= COUNT_MAX:
                msg = f"{name} is no count between 0 and {COUNT_MAX}"
                raise UnusableItemError(msg)
            return number
    return None


def duration(attributes: Attributes, name: str) -> int | None:
    """Milliseconds, where an attribute tells them; a length is never worth a refusal."""
    value = attributes.get(name)
    if isinstance(value, Decimal) and value.is_finite():
        value = value.to_integral_value()
    number = whole(value)
    return number if number is not None and 0 <= number <= COUNT_MAX else None


def milliseconds(nanos: int) -> Instant:
    """Nanoseconds as an instant."""
    return nanos // NANOS_PER_MS


def attributes_of(pairs: Iterable[tuple[str, Value | None]]) -> Attributes:
    """Names and values, as far as they are bounded and can be used."""
    found: dict[str, Value] = {}
    for number, (name, value) in enumerate(pairs):
        if number == ATTRIBUTES_MAX:
            break
        if value is not None and len(name) <= NAME_MAX:
            found[name] = value
    return found


def digest(pairs: Iterable[tuple[str, Value]], *more: object) -> str:
    """A name for something that is known by all it says, whatever the order."""
    said = sorted((name, str(value)) for name, value in pairs)
    return hashlib.sha256(msgspec.msgpack.encode((said, more))).hexdigest()[:32]
