"""Reports as CSV, for spreadsheets, which would take some texts for formulas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping

import msgspec

from tollbook.core.report import Report
from tollbook.render.fields import line_amounts, line_name
from tollbook.render.safe import safe

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_is_number = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII).fullmatch


def cell(value: object) -> str:
    """A value as a spreadsheet may hold it: no text of it is a formula."""
    match value:
        case None:
            return ""
        case int():
            return str(value)
        case str():
            text = safe(value)
            harmless = not value.startswith(_FORMULA) or _is_number(value)
            return text if harmless else f"'{text}"
        case Mapping():
            inner = (
                f"{name}:{unit}={count}"
                for name, units in value.items()
                for unit, count in units.items()
            )
            return cell("; ".join(inner))
    assert isinstance(value, Iterable), value
    return cell("; ".join(map(str, value)))


def write_csv(titles: Iterable[str], rows: Iterable[Mapping[str, object]]) -> str:
    """A table whose first line names its columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, titles))
    writer.writerows([cell(value) for value in row.values()] for row in rows)
    return text.getvalue()


def report_csv(report: Report) -> str:
    """A row for each line; with a breakdown, one for each of its parts."""
    sample = msgspec.structs.replace(report.total, name="", place="0")
    titles = line_name(sample, report.dimension)
    if report.breakdown is not None:
        titles |= line_name(sample, report.breakdown)
    titles |= line_amounts(sample, net=report.net)
    return write_csv(titles, _rows(report))


def _rows(report: Report) -> Iterable[dict[str, object]]:
    for line in report.lines:
        named = line_name(line, report.dimension)
        if report.breakdown is None:
            yield {**named, **line_amounts(line, net=report.net)}
        else:
            for part in line.breakdown:
                inner = line_name(part, report.breakdown)
                yield {**named, **inner, **line_amounts(part, net=report.net)}
