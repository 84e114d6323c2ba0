"""The counts of a record, by unit.

``input_tokens`` is what was not read from a cache, as in the Messages API. Programs that
count the OpenTelemetry way, cache included, say ``input_tokens_include_cache``.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET

from tollbook.core.observation import Part
from tollbook.core.units import COUNT_MAX, Unit
from tollbook.formats.ingest_record import TEXT_MAX, Record, RecordError
from tollbook.formats.transcript_usage import parts_of

_COUNTERS_MAX = 16  # of server tools we do not know
_ITERATIONS_MAX = 200
_NAME_MAX = 64

_UNCACHED = Unit.UNCACHED_INPUT.value
_READ = Unit.CACHE_READ.value
_WRITE_5M = Unit.CACHE_WRITE_5M.value
_WRITE_1H = Unit.CACHE_WRITE_1H.value
_PLAIN = (
    ("input_tokens", _UNCACHED),
    ("output_tokens", Unit.OUTPUT.value),
    ("cache_read_input_tokens", _READ),
)
_NAMED = (
    ("uncached_input_tokens", _UNCACHED),
    ("cache_write_5m_tokens", _WRITE_5M),
    ("cache_write_1h_tokens", _WRITE_1H),
    ("web_search_requests", Unit.WEB_SEARCH.value),
    ("web_fetch_requests", Unit.WEB_FETCH.value),
    ("code_execution_requests", Unit.CODE_EXECUTION.value),
)
_FLAT = (
    *(name for name, _ in (*_PLAIN, *_NAMED)),
    "cache_creation_input_tokens",
    "cache_creation",
    "input_tokens_include_cache",
)


def count(record: Record) -> tuple[Part, ...]:
    """What a record counts, by model.

    Raises:
        RecordError: It says something twice, and not the same.
    """
    if record.usage:
        return _whole(record)
    counts: dict[str, int] = {}
    for name, unit in _PLAIN:
        value = getattr(record, name)
        if value is not UNSET and value is not None:
            counts[unit] = value
    for name, unit in _NAMED:
        value = getattr(record, name)
        if value is not UNSET and value is not None:
            _put(counts, unit, value, name)
    if record.cache_creation_input_tokens or record.cache_creation:
        _add_writes(counts, record)
    elif record.cache_creation_input_tokens == 0:
        counts.setdefault(_WRITE_5M, 0)
        counts.setdefault(_WRITE_1H, 0)
    if record.input_tokens_include_cache:
        _take_out_cache(counts)
    if record.server_tool_use:
        _add_server_tools(counts, record.server_tool_use)
    return (Part(record.model, counts),)


def _whole(record: Record) -> tuple[Part, ...]:
    """A whole usage object; counts beside it would say the same again, or not."""
    usage = record.usage
    assert usage
    for name in _FLAT:
        value = getattr(record, name)
        if value is not UNSET and value is not None:
            message = f"{name} stands beside a whole usage object; send one of them"
            raise RecordError(message, code="record-usage", path=name)
    if len(usage.iterations or ()) > _ITERATIONS_MAX:
        message = f"more than {_ITERATIONS_MAX} iterations; send the totals"
        raise RecordError(message, code="record-usage", path="usage.iterations")
    rest = msgspec.structs.replace(usage, server_tool_use=None)
    parts = parts_of(record.model, rest)
    for part in parts:
        if len(part.model) > TEXT_MAX or not f"{part.model}{part.kind}".isprintable():
            message = f"a model's name has up to {TEXT_MAX} printable characters"
            raise RecordError(message, code="record-text", path="usage.iterations")
    main = next((part for part in parts if part.kind == "message"), parts[0])
    tools = {**(usage.server_tool_use or {}), **(record.server_tool_use or {})}
    _add_server_tools(main.usage, tools)
    return parts


def _put(counts: dict[str, int], unit: str, value: int, name: str) -> None:
    if counts.setdefault(unit, value) != value:
        message = f"{name} and another field give {unit} differently; send one of them"
        raise RecordError(message, code="record-usage", path=name)


def _add_writes(counts: dict[str, int], record: Record) -> None:
    """Writes by lifetime; those without a split were for five minutes."""
    split = record.cache_creation or None
    hour = (split.ephemeral_1h_input_tokens or 0) if split is not None else 0
    minutes = (split.ephemeral_5m_input_tokens or 0) if split is not None else 0
    minutes = max(minutes, (record.cache_creation_input_tokens or 0) - hour)
    _put(counts, _WRITE_5M, minutes, "cache_creation")
    _put(counts, _WRITE_1H, hour, "cache_creation")


def _take_out_cache(counts: dict[str, int]) -> None:
    whole = counts.get(_UNCACHED)
    if whole is None:
        return
    cached = sum(counts.get(unit, 0) for unit in (_READ, _WRITE_5M, _WRITE_1H))
    if cached > whole:
        message = "less input than cache; leave input_tokens_include_cache out"
        raise RecordError(message, code="record-usage", path="input_tokens")
    counts[_UNCACHED] = whole - cached


def _add_server_tools(counts: dict[str, int], tools: dict[str, Any]) -> None:
    """Counters of tools that ran at the provider; unknown ones keep their name."""
    for name, value in tools.items():
        if value is None or value == 0:
            continue
        path = f"server_tool_use.{name}" if name.isidentifier() else "server_tool_use"
        if type(value) is not int or not 0 < value <= COUNT_MAX:
            message = f"a count is a whole number from 0 to {COUNT_MAX:,}"
            raise RecordError(message, code="record-shape", path=path)
        if len(counts) > _COUNTERS_MAX or not name.isidentifier():
            message = f"up to {_COUNTERS_MAX} counters, each with a name of letters"
            raise RecordError(message, code="record-shape", path="server_tool_use")
        _put(counts, name[:_NAME_MAX], value, path[:_NAME_MAX])
