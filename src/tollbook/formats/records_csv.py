"""A table with a heading, each row a record.

A map says which column holds which field; without one the headings are the fields'
names. ``tags.team`` fills a tag, ``metadata.user_id`` a key of the metadata::

    Time,Model,Prompt tokens,Answer tokens,Team
    2026-11-22T10:00:00Z,claude-opus-5-5,1200,640,payments

A cell without text says nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tollbook.formats.ingest_body import misshapen
from tollbook.formats.ingest_record import FIELDS, Record, Refused

_OPEN = ("tags", "metadata")
_CLOSED = frozenset((*_OPEN, "usage", "cache_creation", "server_tool_use", "tools"))

ColumnMap = Mapping[str, str]
"""Fields, and the columns that hold them."""


class TableError(ValueError):
    """The table as a whole cannot be read as records."""


def is_field(name: str) -> bool:
    """Whether a column may be read as this field."""
    first, dot, rest = name.partition(".")
    if dot:
        return first in _OPEN and bool(rest)
    return name in FIELDS and name not in _CLOSED


def read_rows(
    lines: Iterable[str], columns: ColumnMap
) -> Iterator[tuple[int, Record | Refused]]:
    """Every row with the number of its last line.

    Raises:
        TableError: There is no heading, it lacks a column, or the file is no table.
    """
    rows = csv.reader(lines, strict=True)
    try:
        heading = next(rows, None)
        if not heading:
            message = "there is no heading; the first line names the columns"
            raise TableError(message)
        places = _places(heading, columns)
        for row in rows:
            if any(row):
                yield rows.line_num, _record(row, places, len(heading))
    except csv.Error as error:
        message = f"line {rows.line_num}: {error}; write sound CSV"
        raise TableError(message) from error


def _places(heading: list[str], columns: ColumnMap) -> dict[str, int]:
    """In which column each field stands."""
    names = [name.strip() for name in heading]
    wanted = columns or {name: name for name in names if is_field(name)}
    for field, column in wanted.items():
        if names.count(column) != 1:
            found = "twice" if column in names else "not there"
            message = f"the column {column!r}, for {field}, is {found}; correct the map"
            raise TableError(message)
    if "model" not in wanted:
        message = "no column holds the model; name it: --map 'model=NAME OF THE COLUMN'"
        raise TableError(message)
    return {field: names.index(column) for field, column in wanted.items()}


def _record(row: list[str], places: Mapping[str, int], width: int) -> Record | Refused:
    if len(row) != width:
        message = f"{len(row)} cells under {width} headings; give each its column"
        return Refused(code="record-shape", message=message, path="")
    fields: dict[str, Any] = {}
    for field, place in places.items():
        cell = row[place].strip()
        if not cell:
            continue
        first, dot, rest = field.partition(".")
        if dot:
            fields.setdefault(first, {})[rest] = cell
        else:
            fields[field] = cell
    try:
        return msgspec.convert(fields, Record, strict=False)
    except msgspec.ValidationError as error:
        return misshapen(error)
