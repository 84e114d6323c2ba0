"""What real clients wrote: every recording read, and nothing that is missing kept quiet.

Each case holds a client's transcripts and two sums over [uncached input, output, cache
writes, cache reads]: what its lines say when each response counts once (``transcript``),
and what the recorded service had really served (``truth``).
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from tollbook.core.rate import Rater
from tollbook.core.tally import Tally
from tollbook.ledger.scan import scan
from tollbook.ports import UsageQuery
from tollbook.prices import load_catalogue
from tollbook.sources.transcripts import TranscriptFolders
from tollbook.stores.memory import MemoryStore

GOLDEN = Path(__file__).parent / "golden" / "claude_code"
CASES = sorted(path.parent for path in GOLDEN.glob("2.*/*/expected.json"))
TORN = sorted((GOLDEN / "torn").glob("*.jsonl"))
ALWAYS = (0, 2**62)


def name_of(case: Path) -> str:
    """Version and name."""
    return f"{case.parent.name}/{case.name}"


every_case = pytest.mark.parametrize("case", CASES, ids=name_of)

SILENT = {
    # This version writes no request lines: what got no answer left no trace.
    "2.1.197/kill_mid",
    "2.1.197/no_event_line",
    "2.1.197/q_eof_mid",
    "2.1.197/q_rst_mid",
    # The service ended its stream without a count, and the client wrote the
    # placeholder down as final.
    "2.1.197/usage_null",
    "2.1.330/usage_null",
}
"""Cases whose transcripts hold no sign of what is missing."""


class Expected(msgspec.Struct):
    """A case's two sums."""

    transcript: list[int]
    truth: list[int]


def expected(case: Path) -> Expected:
    """What is known of a case."""
    return msgspec.json.decode((case / "expected.json").read_bytes(), type=Expected)


def scanned(folder: Path) -> MemoryStore:
    """A ledger of one folder."""
    rater = Rater(load_catalogue())
    store = MemoryStore(rater, rater.version)
    scan(TranscriptFolders([folder]), store, now=lambda: 1)
    return store


def total(store: MemoryStore) -> Tally:
    """Everything, priced or not."""
    found = store.totals(UsageQuery(buckets=[ALWAYS]))
    whole = Tally()
    for each in found:
        whole = whole.plus(each.tally)
    return whole


def sums(tally: Tally) -> list[int]:
    """A tally in the recordings' terms."""
    return [
        tally.uncached_input_tokens,
        tally.output_tokens,
        tally.cache_write_5m_tokens + tally.cache_write_1h_tokens,
        tally.cache_read_input_tokens,
    ]


def lines(case: Path) -> list[dict[str, object]]:
    """Every line of a case, read the plainest way there is."""
    texts = [path.read_text("utf-8") for path in case.rglob("*.jsonl")]
    return [json.loads(line) for text in texts for line in text.splitlines() if line]


def unanswered(case: Path) -> set[object]:
    """Requests that no response's line refers to."""
    known = lines(case)
    asked = {line["id"] for line in known if line["type"] == "api-request"}
    return asked - {line.get("requestRef") for line in known}


def understated(store: MemoryStore, case: Path) -> list[str]:
    """Sessions whose running total counts more than their lines."""
    query = UsageQuery(buckets=[ALWAYS], by=frozenset({"session"}))
    counted: dict[str, Tally] = {}
    for each in store.totals(query):
        session = each.dimensions["session"] or ""
        counted[session] = counted.get(session, Tally()).plus(each.tally)
    return [
        session
        for session in {str(line.get("sessionId")) for line in lines(case)}
        for statement in store.statements(session)
        for model in statement.line.models
        for unit, count in model.usage.items()
        if count > getattr(counted.get(session, Tally()), unit)
    ]


def test_there_are_recordings_of_every_version() -> None:
    versions = {case.parent.name for case in CASES}

    assert versions == {"2.1.197", "2.1.330"}
    assert len(CASES) == 96
    assert len(TORN) == 4
    assert all(list(case.rglob("*.jsonl")) for case in CASES)


@every_case
def test_every_response_of_a_recording_counts_once(case: Path) -> None:
    store = scanned(case / "transcripts")

    assert sums(total(store)) == expected(case).transcript
    assert store.problems() == []


@every_case
def test_calls_that_no_line_answers_are_known(case: Path) -> None:
    store = scanned(case / "transcripts")

    assert {call.reference for call in store.unrecorded(*ALWAYS)} == unanswered(case)
    assert store.coverage().unrecorded_calls == len(unanswered(case))


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if expected(case).truth != expected(case).transcript],
    ids=name_of,
)
def test_what_transcripts_lack_is_not_kept_quiet(case: Path) -> None:
    store = scanned(case / "transcripts")
    whole = total(store)
    signs = (
        store.coverage().unrecorded_calls
        + whole.partial_responses
        + whole.missing_responses
        + len(understated(store, case))
    )

    assert (signs == 0) == (name_of(case) in SILENT)


def test_every_silent_case_is_one_that_lacks_something() -> None:
    lacking = {
        name_of(case)
        for case in CASES
        if expected(case).truth != expected(case).transcript
    }

    assert lacking > SILENT


@pytest.mark.parametrize(
    ("name", "totals", "problems"),
    [
        ("1", [1012, 62, 0, 0], []),
        ("2", [3017, 167, 4614, 80007], []),
        ("3", [1011, 61, 0, 0], [(13, "line-not-json")]),
        ("4", [3012, 162, 4606, 80003], []),
    ],
)
def test_a_transcript_from_a_full_disk_gives_what_it_holds(
    name: str, totals: list[int], problems: list[tuple[int, str]]
) -> None:
    store = scanned(GOLDEN / "torn" / f"{name}.jsonl")

    assert sums(total(store)) == totals
    assert [(found.line, found.code) for found in store.problems()] == problems


@every_case
def test_every_response_of_a_real_model_has_a_price(case: Path) -> None:
    store = scanned(case / "transcripts")
    query = UsageQuery(buckets=[ALWAYS], by=frozenset({"model"}))

    invented = case.name == "hostile_names"
    assert all(each.priced != invented for each in store.totals(query))
