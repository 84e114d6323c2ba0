"""A published price is never edited, and the file a report reads is up to date.

``published.json`` pins every price ever published. ``--golden`` adds what is new to it,
and never changes what it holds.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tollbook.core.catalogue import FOREVER, Period, PriceCatalogue, Rate, day
from tollbook.core.errors import CatalogueDataError
from tollbook.prices import CATALOGUE, build, load_catalogue
from tollbook.prices.build import LISTS, main, read_lists

PINNED = Path(__file__).with_name("published.json")
READ = re.compile(r".+, read (\d{4}-\d{2}-\d{2})")
"""``https://example.com/prices, read 2026-01-31``"""

Pin = dict[str, Any]


def digest(content: object) -> str:
    text = msgspec.json.encode(content, order="deterministic")
    return hashlib.sha256(text).hexdigest()[:16]


def end_of(valid: Period) -> str | None:
    return None if valid.end == FOREVER else day(valid.end)


def pin_of_rate(rate: Rate) -> Pin:
    tiers = [(tier.prompt_tokens_over, tier.prices) for tier in rate.tiers]
    return {"digest": digest((rate.prices, tiers)), "end": end_of(rate.valid)}


def pins(catalogue: PriceCatalogue) -> dict[str, Pin]:
    found: dict[str, Pin] = {}
    for model in catalogue.models():
        found[model.name] = {"multipliers": list(model.multipliers)}
        for kind, rates in (("standard", model.rates), ("fast", model.fast)):
            for rate in rates:
                found[f"{model.name} {kind} {day(rate.valid.start)}"] = pin_of_rate(
                    rate
                )
    for each in catalogue.multipliers():
        pin = {"digest": digest((each.when, each.factor)), "end": end_of(each.valid)}
        found[f"{each.name} from {each.valid.start}"] = pin
    for fee in catalogue.fees():
        pin = {"digest": digest(fee.price), "end": end_of(fee.valid)}
        found[f"{fee.unit} from {fee.valid.start}"] = pin
    return found


def unchanged(then: Pin, now: Pin) -> bool:
    """Whether a price is what it was; it may have ended, and gained multipliers."""
    if "multipliers" in then:
        return set(then["multipliers"]) <= set(now["multipliers"])
    return then["digest"] == now["digest"] and then["end"] in (None, now["end"])


def test_a_published_price_is_never_edited(pytestconfig: pytest.Config) -> None:
    now = pins(load_catalogue())
    published: dict[str, Pin] = json.loads(PINNED.read_text("utf-8"))
    if pytestconfig.getoption("--golden"):
        kept = {
            name: pin
            for name, pin in published.items()
            if name in now and not unchanged(pin, now[name])
        }
        text = json.dumps({**published, **now, **kept}, indent=1, sort_keys=True)
        PINNED.write_text(text + "\n", "utf-8", newline="\n")
        published = json.loads(text)

    assert published
    edited = [
        name
        for name, pin in published.items()
        if name not in now or not unchanged(pin, now[name])
    ]
    assert edited == [], "append a new price instead: docs/reference/prices.md"
    assert sorted(now) == sorted(published), "new prices: run python3 tasks.py golden"


def test_an_edited_price_would_be_noticed() -> None:
    pin = {"digest": "a", "end": None}

    assert unchanged(pin, {"digest": "a", "end": "2026-12-01"})
    assert not unchanged(pin, {"digest": "b", "end": None})
    assert not unchanged({**pin, "end": "2026-12-01"}, pin)
    assert not unchanged({"multipliers": ["batch"]}, {"multipliers": []})


def test_the_file_a_report_reads_is_made_of_the_lists_people_write() -> None:
    assert Path(CATALOGUE).read_bytes() == build.build(), (
        "out of date: run python -m tollbook.prices.build"
    )


def test_building_writes_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "catalogue.json"
    monkeypatch.setattr(build, "CATALOGUE", copy)

    main()

    assert copy.read_bytes() == Path(CATALOGUE).read_bytes()
    assert str(copy) in capsys.readouterr().out


def test_a_file_that_is_no_toml_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("as_of = ", "utf-8")

    with pytest.raises(CatalogueDataError, match=r"x\.toml: .*correct the file"):
        read_lists(tmp_path)


def test_every_statement_says_where_and_when_it_was_read() -> None:
    prices = read_lists()
    rates = [rate for model in prices.models for rate in (*model.prices, *model.fast)]
    evidence = [text for rate in rates for text in rate.evidence]
    evidence += [text for fee in prices.fees for text in fee.evidence]
    evidence += [text for each in prices.multipliers for text in each.evidence]

    assert evidence
    assert prices.as_of is not None
    for text in evidence:
        read = READ.fullmatch(text)
        assert read, f"{text!r} does not end with the day it was read"
        assert date.fromisoformat(read[1]) <= prices.as_of


def test_a_model_has_a_price_from_the_day_it_was_released() -> None:
    late = {"claude-2.0", "claude-instant-1.2"}  # their first prices are not known

    models = load_catalogue().models()

    assert models
    assert {
        m.name for m in models if day(m.rates[0].valid.start) != str(m.released)
    } == late


def test_the_version_names_the_day_and_the_content() -> None:
    assert re.fullmatch(r"2026-\d\d-\d\d\+[0-9a-f]{8}", load_catalogue().version)
    assert len(list(LISTS.glob("*.toml"))) > 3
