"""tollbook.wiring: the parts, and when they are loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tollbook.config import Config, Prices, Term
from tollbook.core.observation import Conditions, Part
from tollbook.wiring import (
    BOOKS,
    SOURCES,
    make_book,
    make_rater,
    make_sources,
    make_store,
    make_transcripts,
)

AT = 1_795_000_000_000
TOKENS = {"uncached_input_tokens": 10**6}


def test_every_source_bears_its_registered_name() -> None:
    assert [source.name for source in make_sources(Config())] == list(SOURCES)


@pytest.mark.parametrize("name", BOOKS)
def test_every_book_knows_its_version(name: str) -> None:
    assert make_book(name).version


def test_a_rater_prices_at_the_users_terms() -> None:
    terms = Prices(terms=(Term(model="opus", discount="0.5"),))
    part = Part("claude-opus-5-5", TOKENS)

    cost = make_rater(Config(prices=terms)).part_cost(part, Conditions(), AT)

    assert cost == (4 * 10**12, 2 * 10**12, {})


def test_another_providers_model_is_priced_by_its_book() -> None:
    part = Part("gpt-5", TOKENS)
    cost, _, unpriced = make_rater(Config()).part_cost(part, Conditions(), AT)

    assert cost > 0
    assert unpriced == {}


def test_the_book_is_not_loaded_before_it_is_asked() -> None:
    code = "import sys, tollbook.wiring; sys.exit('genai_prices' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - our own


def test_folders_that_are_not_there_have_no_transcripts(tmp_path: Path) -> None:
    pending = make_transcripts([tmp_path / "nowhere"]).survey({})

    assert pending.origins == 0
    assert list(pending.items) == []


def test_the_store_lies_in_the_users_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBOOK_HOME", str(tmp_path / "t"))
    store = make_store(Config(), make_rater(Config()))
    store.close()

    assert (tmp_path / "t" / "ledger.db").exists()
