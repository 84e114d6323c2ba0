r"""Figures for Prometheus, in its text format 0.0.4.

What the ledger holds is a gauge: a better source or a corrected price may lower a total,
which a counter must not. What a process has done is a counter. The shape::

    # HELP tollbook_tokens Tokens by kind.
    # TYPE tollbook_tokens gauge
    tollbook_tokens{project="atlas",unit="output_tokens"} 1234

Format: https://prometheus.io/docs/instrumenting/exposition_formats/, read on 2026-11-24.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_IN_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})
_IN_LABEL = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


class Sample(msgspec.Struct, frozen=True):
    """One figure with its labels; ``value`` is a decimal number as text."""

    labels: Mapping[str, str]
    value: str


class Family(msgspec.Struct, frozen=True):
    """Samples of one kind."""

    name: str  # letters and underscores
    text: str  # what it counts, one sentence
    samples: Iterable[Sample]
    kind: Literal["gauge", "counter"] = "gauge"


def exposition(families: Iterable[Family]) -> str:
    """Everything as one text."""
    return "".join(line + "\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    yield f"# HELP {family.name} {family.text.translate(_IN_HELP)}"
    yield f"# TYPE {family.name} {family.kind}"
    for sample in family.samples:
        labels = ",".join(
            f'{name}="{_label(value)}"' for name, value in sample.labels.items()
        )
        yield (
            f"{family.name}{{{labels}}} {sample.value}"
            if labels
            else (f"{family.name} {sample.value}")
        )


def _label(text: str) -> str:
    """A label's value. Carriage returns and the like break readers that count lines."""
    whole = text.encode("utf-8", "replace").decode()
    plain = "".join(c if c == "\n" or c.isprintable() else "\ufffd" for c in whole)
    return plain.translate(_IN_LABEL)
