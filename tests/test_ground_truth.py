"""A corpus whose truth is known: every total, by every view, to the last token."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from tollbook.core.money import PICO_PER_USD
from tollbook.core.observation import Instant
from tollbook.core.rate import Rater
from tollbook.core.tally import Tally
from tollbook.ledger.scan import scan
from tollbook.ports import UsageQuery
from tollbook.prices import load_catalogue
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.sqlite.store import SqliteStore

GENERATOR = Path(__file__).parents[1] / "benchmarks" / "corpus" / "generate.py"
DAY_MS = 86_400_000
DAYS_FROM, DAYS = 20_600, 200  # from 2026-05-27
ADVISOR = "claude-opus-5"  # the only advisor of the corpus
UNITS = {
    "input": "uncached_input_tokens",
    "cache_read": "cache_read_input_tokens",
    "cache_creation_5m": "cache_write_5m_tokens",
    "cache_creation_1h": "cache_write_1h_tokens",
    "output": "output_tokens",
}


def generate(folder: Path, size: str) -> dict[str, Any]:
    """Write a corpus below a folder and give its truth."""
    truth = folder / "truth.json"
    arguments = ["--size", size, "--out", str(folder), "--truth", str(truth)]
    command = [sys.executable, str(GENERATOR), *arguments]
    subprocess.run(command, check=True)  # noqa: S603  # our own generator
    known: dict[str, Any] = json.loads(truth.read_text())
    return known


def scanned(folder: Path) -> SqliteStore:
    """A fresh ledger of the corpus."""
    rater = Rater(load_catalogue())
    store = SqliteStore(folder / "ledger.db", rater, rater.version)
    source = TranscriptFolders([folder / ".claude" / "projects"])
    appended = scan(source, store, now=lambda: Instant(0))
    assert appended.lines == appended.added + appended.repeated + appended.refused
    return store


def by(store: SqliteStore, *dimensions: str) -> dict[str, Tally]:
    """Totals by day, or by the one dimension asked for."""
    if dimensions == ("day",):
        buckets = [
            (day * DAY_MS, (day + 1) * DAY_MS)
            for day in range(DAYS_FROM, DAYS_FROM + DAYS)
        ]
        query = UsageQuery(buckets=buckets)
    else:
        query = UsageQuery(buckets=[(0, 10**15)], by=frozenset(dimensions))
    found: dict[str, Tally] = defaultdict(Tally)
    for total in store.totals(query):
        assert total.priced, "the corpus names only models with a price"
        name = total.dimensions.get(dimensions[0]) or str(DAYS_FROM + total.bucket)
        found[name] = found[name].plus(total.tally)
    return found


def counts(tally: Tally) -> dict[str, int]:
    """What the truth calls the counts of a tally."""
    return {theirs: getattr(tally, ours) for theirs, ours in UNITS.items()}


def check(store: SqliteStore, truth: dict[str, Any]) -> None:
    """Hold every view against the truth, which lists advisors apart."""
    days = by(store, "day")
    models = by(store, "model")
    sessions = by(store, "session")
    whole = [truth["total"], truth["advisors"]]
    for view in (days, models, sessions):
        added = Tally()
        for tally in view.values():
            added = added.plus(tally)
        assert added.responses == truth["total"]["messages"]
        assert counts(added) == {
            name: sum(part[name] for part in whole) for name in UNITS
        }
        cost = sum(part["cost"] for part in whole)
        assert added.list_cost / PICO_PER_USD == pytest.approx(cost, abs=1e-6)
    for model, known in truth["by_model"].items():
        if model != ADVISOR:
            assert counts(models[model]) == {name: known[name] for name in UNITS}
            assert models[model].responses == known["messages"]
    for view, known_view in ((days, "by_day"), (sessions, "by_session")):
        assert len(view) == len(truth[known_view])
        assert sum(t.responses for t in view.values()) == truth["total"]["messages"]
    for session, known in truth["by_session"].items():
        assert sessions[session].responses == known["messages"]
        assert sessions[session].cache_read_input_tokens == known["cache_read"]
    for number, known in enumerate(truth["by_day"].values()):
        tally = days[sorted(days, key=int)[number]]
        assert tally.responses == known["messages"]
        assert tally.cache_read_input_tokens == known["cache_read"]
    partial = sum(tally.partial_responses for tally in days.values())
    assert partial >= truth["unrecoverable"]["messages"] > 0


def test_fifty_megabytes_add_up_to_their_ground_truth(tmp_path: Path) -> None:
    truth = generate(tmp_path, "50m")
    store = scanned(tmp_path)

    check(store, truth)
    assert store.verify() == []


@pytest.mark.night
def test_a_gigabyte_adds_up_to_its_ground_truth(tmp_path: Path) -> None:
    truth = generate(tmp_path, "1g")
    store = scanned(tmp_path)

    check(store, truth)
    assert store.verify() == []
