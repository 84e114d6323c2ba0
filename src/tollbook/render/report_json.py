"""Reports as JSON, for programs."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from tollbook.core.report import Report
from tollbook.render.fields import frame, line_fields

_encode = msgspec.json.Encoder().encode


def document(report: Report, **more: object) -> dict[str, object]:
    """The published shape of a report."""
    found = frame(report)
    found["rows"] = [
        line_fields(line, report.dimension, report) for line in report.lines
    ]
    return found | more


def write_json(found: Mapping[str, object]) -> str:
    """One document, indented, as ASCII: it passes every pipe and screen unharmed."""
    text = msgspec.json.format(_encode(found), indent=2).decode()
    return text if text.isascii() and "\x7f" not in text else _escaped(text)


def _escaped(text: str) -> str:
    plain = []
    for char in text:
        if " " <= char <= "~" or char == "\n":
            plain.append(char)
        else:
            unit = char.encode("utf-16-be", "surrogatepass").hex()
            plain += [f"\\u{unit[n : n + 4]}" for n in range(0, len(unit), 4)]
    return "".join(plain)
