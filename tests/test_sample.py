"""The transcripts the documentation shows: what the pages cannot say in a few lines."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from program import Program

SAMPLE = Path(__file__).parent / "golden" / "sample"


@pytest.fixture
def ada(program: Program) -> Program:
    """A home that holds the sample."""
    shutil.copytree(SAMPLE, program.home / ".claude")
    return program


def test_windows_split_by_model_add_up_to_themselves(ada: Program) -> None:
    rows = json.loads(ada.text("blocks", "--breakdown", "--json"))["rows"]
    flat = list(csv.DictReader(io.StringIO(ada.text("blocks", "--breakdown", "--csv"))))

    assert [len(row["breakdown"]) for row in rows] == [2, 1, 1]
    for row in rows:
        assert sum(part["tokens"] for part in row["breakdown"]) == row["tokens"]
    assert [line["model"] for line in flat][:2] == [
        "claude-haiku-5-5",
        "claude-opus-5-5",
    ]
    assert sum(int(line["tokens"]) for line in flat) == sum(r["tokens"] for r in rows)


def test_windows_split_by_agent_are_drawn_below_each_other(ada: Program) -> None:
    text = ada.text("blocks", "--breakdown", "agent")

    assert [line.split()[0] for line in text.splitlines()[2:5]] == [
        "2026-11-16",
        "Explore",
        "(main)",
    ]
